// iolite bench: the load generator, against any echo service.
#include "commands.hpp"
#include "load.hpp"
#include "measure.hpp"
#include "options.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace iolite::app {

namespace {

constexpr std::uint64_t requests_max = 1'000'000'000'000'000;
constexpr std::size_t batch_bytes_max = std::size_t{256} * 1024 * 1024;

struct bench_arguments {
  std::string address;
  load_options load;
  std::string json_target;
};

std::string as_text(const bench_arguments& a, const load_result& r) {
  const auto us = [&](double q) { return static_cast<double>(r.latency.quantile_ns(q)) / 1e3; };
  return fmt::format(
      "{} connection{} to {}, {} bytes, depth {}\n"
      "requests   {} in {:.2f} s: {:.0f}/s, {:.1f} MiB/s each way, every byte checked\n"
      "unanswered {} when time was up: in flight, or due and not sent; latency has them too\n"
      "latency    p50 {:.1f}  p90 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f} us{}\n"
      "errors     {}\n",
      a.load.connections, a.load.connections == 1 ? "" : "s", a.load.to.to_string(),
      a.load.message_bytes, a.load.depth, r.requests, r.seconds, requests_per_second(r),
      requests_per_second(r) * static_cast<double>(a.load.message_bytes) / 1048576, r.unanswered,
      us(0.5), us(0.9), us(0.99), us(0.999), static_cast<double>(r.latency.max_ns()) / 1e3,
      a.load.rate > 0 ? ", from when each was to be sent" : "", r.errors);
}

std::string workload_name(const load_options& o) {
  return fmt::format("{} x {}, depth {}", size_text(o.message_bytes), o.connections, o.depth);
}

int report(const bench_arguments& a, const load_result& r) {
  if (a.json_target != "-" && !print(as_text(a, r))) return status_failed;
  if (a.json_target.empty()) return status_done;
  return write_json(a.json_target, row_as_json({}, workload_name(a.load), r, {}));
}

int run_bench(bench_arguments a) {
  const auto to = endpoint::parse(a.address);
  if (!to) return wrong_usage(to.error().message);
  a.load.to = *to;
  if (a.load.message_bytes > batch_bytes_max / a.load.depth)
    return wrong_usage(fmt::format("--size times --depth is more than {}: take less of one of them",
                                   size_text(batch_bytes_max)));
  if (a.load.requests > 0) a.load.warm_up = clock::duration::zero();
  if (const auto why = too_many_connections(a.load.connections)) return failed(*why);
  const interruptible signals;
  const load_result r = run_load(a.load);
  if (r.out_of_memory || (r.all_requests == 0 && r.errors > 0)) return failed(r.first_error);
  const int written = report(a, r);
  if (interruptible::signal() != 0) return 128 + interruptible::signal();
  if (r.errors > 0) return failed(r.first_error);
  if (r.requests == 0)
    return failed(fmt::format("no answer came within {}", duration_text(a.load.duration)));
  return written;
}

}  // namespace

void add_bench(CLI::App& app, action& chosen) {
  auto args = std::make_shared<bench_arguments>();
  load_options& o = args->load;
  o.warm_up = std::chrono::milliseconds(200);
  CLI::App& c = *app.add_subcommand("bench", "load an echo service and check every byte");
  c.add_option("address", args->address, "127.0.0.1:7000, [::1]:7000, :7000, unix:/run/x.sock")
      ->required()
      ->type_name("ADDRESS");
  add_count(c, "--connections", o.connections, 1, 1'000'000, "how many at the same time");
  add_size(c, "--size", o.message_bytes, "of a message", 1);
  add_count(c, "--depth", o.depth, 1, 65'536, "messages in flight on each connection");
  add_duration(c, "--duration", o.duration, "how long, after a warm-up", shortest_run);
  add_duration(c, "--warm-up", o.warm_up, "not counted");
  add_count(c, "--requests", o.requests, 1, requests_max,
            "so many instead of a duration, without a warm-up");
  add_rate(c, "--rate", o.rate,
           "send on a schedule, over all connections; latency then counts from the intended time");
  add_json(c, args->json_target);
  c.footer("Examples:\n  iolite bench :7000\n"
           "  iolite bench :7000 --connections 1000 --rate 20000/s --duration 30s --json run.json");
  c.callback([args, &chosen] { chosen = [args] { return run_bench(*args); }; });
}

}  // namespace iolite::app

// iolite bench: the load generator, against any server that echoes, answers lines or speaks HTTP.
#include "commands/bench.hpp"
#include "commands/commands.hpp"
#include "load/hdr.hpp"
#include "measure/loaded_server.hpp"
#include "page/page.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"
#include "terminal/status_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <sched.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t requests_max = 1'000'000'000'000'000;
constexpr std::size_t batch_bytes_max = std::size_t{256} * 1024 * 1024;
constexpr auto trial_length = 2s;
constexpr double rate_precision = 0.05;

// http://HOST[:PORT][/PATH] says the protocol, too.
void read_url(bench_arguments& a) {
  constexpr std::string_view scheme = "http://";
  if (!a.address.starts_with(scheme)) return;
  const std::string rest = a.address.substr(scheme.size());
  const std::size_t slash = rest.find('/');
  std::string host = rest.substr(0, slash);
  if (slash != std::string::npos) a.load.request.path = rest.substr(slash);
  if (host.find(':', host.starts_with('[') ? host.find(']') : 0) == std::string::npos)
    host += ":80";
  a.load.request.kind = protocol::http;
  a.address = host;
}

// What goes into a request line: RFC 9112, 3.2.
std::optional<std::string> wrong_path(const std::string& path) {
  const bool bad = std::ranges::any_of(path, [](unsigned char c) { return c <= ' ' || c >= 127; });
  if (path.starts_with('/') && !bad) return std::nullopt;
  return fmt::format("'{}' is not a path; write it like /index.html, other bytes as %20", path);
}

std::optional<std::string> what_is_wrong(const bench_arguments& a) {
  const load_options& o = a.load;
  if (o.sizes.longest() > batch_bytes_max / o.depth)
    return fmt::format("--size times --depth is more than {}: take less of one of them",
                       size_text(batch_bytes_max));
  if (a.poisson && o.rate == 0 && !a.slo) return "--poisson needs a --rate";
  if (a.slo && o.requests > 0) return "--slo searches by time: take --duration, not --requests";
  if (a.slo && o.rate > 0) return "--slo searches for the rate: leave --rate out";
  if (a.pid > 0 && !a.command.empty()) return "the server is either --pid or a command after --";
  return wrong_path(o.request.path);
}

// The arguments as they are meant; or what is wrong with them.
std::optional<std::string> settle(bench_arguments& a) {
  load_options& o = a.load;
  read_url(a);
  const auto to = endpoint::parse(a.address);
  if (!to) return to.error().message;
  o.to = *to;
  o.request.host = a.address.starts_with("unix:") ? "localhost" : o.to.to_string();
  o.request.body = a.sizes_given;
  if (a.poisson) o.arriving = arrivals::poisson;
  if (a.active)
    o.active = std::max(1U, static_cast<unsigned>(std::lround(*a.active * o.connections)));
  if (o.requests > 0) o.warm_up = clock::duration::zero();
  if (a.slo && !a.duration_given) o.duration = trial_length;
  return what_is_wrong(a);
}

// Runs loads, and watches the server meanwhile.
class bench_run {
 public:
  bench_run(const bench_arguments& a, std::optional<loaded_server>& server) noexcept
      : arguments_(a), server_(server) {}

  load_result load_once(double rate, clock::duration length, const std::string& what) {
    load_options o = arguments_.load;
    o.rate = rate;
    o.duration = length;
    o.on_begin = [this] {
      if (server_) server_->begin();
    };
    o.on_second = [this, &what](const live_figures& f) {
      if (server_) server_->look();
      line_.show(what + live_text(f));
    };
    load_result r = run_load(o);
    line_.clear();
    return r;
  }

  bench_result once() {
    bench_result r;
    r.started = epoch_seconds();
    r.load = load_once(arguments_.load.rate, arguments_.load.duration, {});
    account_for(r);
    return r;
  }

  // Closed loop first: about what the server can do at most is where the search begins.
  bench_result search(const objective& wanted) {
    bench_result r;
    r.load = load_once(0, arguments_.load.duration / 2, "how fast it goes at all: ");
    if (r.load.errors > 0 || r.load.requests == 0 || r.load.interrupted) return r;
    rate_search rates(requests_per_second(r.load) / 2, rate_precision);
    while (const auto rate = rates.next()) {
      bench_result one;
      one.started = epoch_seconds();
      one.load = load_once(*rate, arguments_.load.duration, fmt::format("{:.0f}/s: ", *rate));
      if (one.load.interrupted) break;
      const bool met = wanted.met_by(one.load);
      rates.tried(met);
      r.trials.push_back({*rate, met, one.load});
      if (!met) continue;
      account_for(one);
      one.trials = std::move(r.trials);
      r = std::move(one);
    }
    r.found = rates.met();
    r.missed = rates.missed();
    return r;
  }

 private:
  static double epoch_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void account_for(bench_result& r) {
    if (!server_) return;
    auto used = server_->end(r.load.errors > 0);
    if (used) r.server = *used;
    else r.no_account = used.error();
  }

  const bench_arguments& arguments_;
  std::optional<loaded_server>& server_;
  status_line line_;
};

int write_all(const bench_arguments& a, const bench_result& r, const report& page) {
  int status = status_done;
  const bool quiet = a.json_target == "-" || a.hdr_target == "-" || a.report_target == "-";
  if (!quiet && !print(bench_as_text(a, r))) status = status_failed;
  const auto json = bench_as_json(a, r);
  if (!a.json_target.empty()) status = std::max(status, write_json(a.json_target, json));
  status = std::max(status, page.write("bench", json));
  if (!a.hdr_target.empty())
    status = std::max(
        status, write_result(a.hdr_target, hdr_log(r.load.latency, r.started, r.load.seconds)));
  return status;
}

// The status, and one line that says why it is not 0.
int judge(const bench_arguments& a, const bench_result& r) {
  if (interruptible::signal() != 0) return 128 + interruptible::signal();
  if (!r.no_account.empty()) return failed(r.no_account);
  if (a.slo && r.found == 0 && !r.trials.empty())
    return failed(fmt::format("no rate from {:.0f}/s on meets {}", r.missed, a.slo->text()));
  if (r.load.errors > 0) return failed(r.load.first_error);
  if (r.load.requests == 0)
    return failed(fmt::format("no answer came within {}", duration_text(a.load.duration)));
  return status_done;
}

std::expected<std::optional<loaded_server>, std::string> server_of(const bench_arguments& a) {
  if (a.pid == 0 && a.command.empty()) return std::nullopt;
  auto server = a.pid > 0 ? loaded_server::watch(static_cast<pid_t>(a.pid))
                          : loaded_server::start(a.command, a.load.to);
  if (!server) return std::unexpected(server.error());
  return std::optional<loaded_server>(std::move(*server));
}

void warn_of_one_core() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (::sched_getaffinity(0, sizeof mine, &mine) == 0 && CPU_COUNT(&mine) == 1)
    complain("there is one core only: a server on this machine shares it with the client, and its "
             "latency has the client's time in it");
}

int run_bench(bench_arguments a) {
  const report page(a.report_target);
  if (!page.possible()) return status_failed;
  if (const auto wrong = settle(a)) return wrong_usage(*wrong);
  if (const auto why = too_many_connections(a.load.connections)) return failed(*why);
  const interruptible signals;
  warn_of_one_core();
  auto server = server_of(a);
  if (!server) return failed(server.error());
  bench_run run(a, *server);
  const bench_result r = a.slo ? run.search(*a.slo) : run.once();
  const load_result& l = r.load;
  if (l.out_of_memory || (l.all_requests == 0 && l.errors > 0)) return failed(l.first_error);
  const int written = write_all(a, r, page);
  const int status = judge(a, r);
  if (std::optional<loaded_server>& running = *server) {
    const auto stopped = running->stop();
    if (!stopped && status == status_done) return failed(stopped.error());
  }
  return std::max(status, written);
}

template <class T, class Parse>
auto taking(T& into, Parse parse) {
  return [&into, parse](const std::string& text) -> std::expected<void, std::string> {
    auto value = parse(text);
    if (!value) return std::unexpected(value.error());
    into = std::move(*value);
    return {};
  };
}

void add_what_is_sent(CLI::App& c, const std::shared_ptr<bench_arguments>& args) {
  load_options& o = args->load;
  add_text(c, "--protocol", "NAME", "echo (the default), lines or http",
           taking(o.request.kind, &parse_protocol));
  add_text(c, "--path", "PATH", "http: what is asked for [/]", taking(o.request.path, &parse_name));
  add_text(c, "--size", "SIZES",
           "of messages [64]: 64, 64..1KiB or 64:90,1KiB..16KiB:10; http: POST with such a body",
           [args](const std::string& text) {
             args->sizes_given = true;
             return taking(args->load.sizes, &message_sizes::parse)(text);
           });
  add_count(c, "--depth", o.depth, 1, 65'536, "messages in flight on each connection");
  add_count(c, "--connections", o.connections, 1, 1'000'000, "how many at the same time");
  add_text(c, "--active", "SHARE", "so many of the connections send, 25% or 0.25 [all]",
           taking(args->active, &parse_share));
  add_count(c, "--churn", o.churn, 1, requests_max,
            "a new connection after so many requests on one");
  add_count(c, "--threads", o.threads, 1, 1024, "of the load generator");
}

void add_when(CLI::App& c, const std::shared_ptr<bench_arguments>& args) {
  load_options& o = args->load;
  auto* const duration =
      add_duration(c, "--duration", o.duration, "how long, after a warm-up", shortest_run);
  duration->each([args](const std::string&) { args->duration_given = true; });
  add_duration(c, "--warm-up", o.warm_up, "not counted");
  add_duration(c, "--ramp", o.ramp, "before that, the load rises evenly for so long");
  add_count(c, "--requests", o.requests, 1, requests_max,
            "so many instead of a duration, without a warm-up");
  add_rate(c, "--rate", o.rate,
           "send on a schedule, over all connections; latency then counts from the intended time");
  c.add_flag("--poisson", args->poisson, "the schedule is a Poisson process, as of many users");
  add_text(c, "--slo", "OBJECTIVE",
           "find the highest rate that meets p99=5ms (p50, p99.9, max, ...); each try is as long "
           "as --duration [2s]",
           taking(args->slo, &objective::parse));
}

constexpr const char* footer =
    "`-- COMMAND` starts the server and ends it; it must listen at ADDRESS. ADDRESS may be\n"
    "http://HOST:PORT/PATH.\n"
    "\nExamples:\n  iolite bench :7000\n"
    "  iolite bench :7000 --connections 1000 --rate 20000/s --duration 30s --json run.json\n"
    "  iolite bench http://127.0.0.1:8080/ --threads 2 --pid $(pgrep -o nginx)\n"
    "  iolite bench :7000 --slo p99=5ms -- iolite serve echo";

}  // namespace

void add_bench(CLI::App& app, action& chosen, const std::vector<std::string>& after_dashes) {
  auto args = std::make_shared<bench_arguments>();
  args->load.warm_up = 200ms;
  args->command = after_dashes;
  CLI::App& c = *app.add_subcommand("bench", "load a server, and check its answers");
  c.add_option("address", args->address, "127.0.0.1:7000, [::1]:7000, :7000, unix:/run/x.sock")
      ->required()
      ->type_name("ADDRESS");
  add_what_is_sent(c, args);
  add_when(c, args);
  add_count(c, "--pid", args->pid, 1, 4'194'304, "the process that serves: what it uses is shown");
  add_json(c, args->json_target);
  add_report(c, args->report_target);
  add_text(c, "--hdr", "FILE|-", "write all latencies as a log that HdrHistogram's tools read",
           taking(args->hdr_target, &parse_name));
  c.footer(footer);
  c.callback([args, &chosen] { chosen = [args] { return run_bench(*args); }; });
}

}  // namespace iolite::app

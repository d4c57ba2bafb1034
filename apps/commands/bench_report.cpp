#include "commands/bench.hpp"
#include "terminal/options.hpp"
#include "terminal/status_line.hpp"
#include "terminal/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace iolite::app {

namespace {

using nlohmann::ordered_json;

double us(const load_result& r, double q) {
  return static_cast<double>(r.latency.quantile_ns(q)) / 1e3;
}

double max_us(const load_result& r) { return static_cast<double>(r.latency.max_ns()) / 1e3; }

std::string plural(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string request_text(const load_options& o) {
  switch (o.request.kind) {
  case protocol::http:
    return fmt::format("{} {}", o.request.body ? "POST" : "GET", o.request.path) +
           (o.request.body ? fmt::format(", {} bytes", o.sizes.text()) : "");
  case protocol::lines: return fmt::format("lines of {} bytes", o.sizes.text());
  case protocol::echo: break;
  }
  return fmt::format("{} bytes", o.sizes.text());
}

std::string headline(const load_options& o) {
  std::string text = fmt::format("{} to {}, {}, depth {}", plural(o.connections, "connection"),
                                 o.to.to_string(), request_text(o), o.depth);
  if (o.active > 0) text += fmt::format(", {} active", o.active);
  if (o.churn > 0) text += fmt::format(", a new one after {}", plural(o.churn, "request"));
  if (o.rate > 0)
    text +=
        fmt::format(", {:.0f}/s{}", o.rate, o.arriving == arrivals::poisson ? " (Poisson)" : "");
  return text + "\n";
}

// MiB each way: what an echo moves, and no other protocol promises.
std::string throughput(const load_options& o, const load_result& r) {
  const double each_second = requests_per_second(r);
  if (o.request.kind != protocol::echo) return fmt::format("{:.0f}/s", each_second);
  return fmt::format("{:.0f}/s, {:.1f} MiB/s each way, every byte checked", each_second,
                     each_second * o.sizes.mean() / 1048576);
}

std::string load_text(const load_options& o, const load_result& r) {
  return fmt::format(
      "requests   {} in {:.2f} s: {}\n"
      "unanswered {} when time was up: in flight, or due and not sent; latency has them too\n"
      "latency    p50 {:.1f}  p90 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  p99.99 {:.1f}  max {:.1f} "
      "us{}\n"
      "errors     {}\n",
      r.requests, r.seconds, throughput(o, r), r.unanswered, us(r, 0.5), us(r, 0.9), us(r, 0.99),
      us(r, 0.999), us(r, 0.9999), max_us(r),
      o.rate > 0 ? ",\n           from when each was to be sent" : "", r.errors);
}

std::string client_text(const load_result& r) {
  std::string text = fmt::format(
      "client     {}, the busiest used {:.0f} % of a core, {:.2f} us for each request\n",
      plural(r.threads, "thread"), 100 * r.busiest_thread, each(r.client_cpu_seconds * 1e6, r));
  if (r.client_was_busy())
    text += "           It was the bottleneck, or close to it: the server may be able to do more.\n"
            "           Take more --threads, or run it on another machine.\n";
  return text;
}

std::string server_text(const bench_result& r) {
  if (!r.server) return r.no_account.empty() ? "" : "server     " + r.no_account + "\n";
  const account& s = *r.server;
  return fmt::format("server     {:.2f} us of CPU and {:.3f} context switches for each request;\n"
                     "           {}, {}, {}, {:.1f} MiB\n",
                     each(s.cpu_us, r.load), each(static_cast<double>(s.context_switches), r.load),
                     s.processes == 1 ? "1 process" : fmt::format("{} processes", s.processes),
                     plural(s.threads, "thread"), plural(s.descriptors, "descriptor"),
                     static_cast<double>(s.rss_bytes) / 1048576);
}

std::string trials_text(const bench_arguments& a, const bench_result& r) {
  if (!a.slo) return {};
  table t({{"rate/s", align::right},
           {"answered/s", align::right},
           {"p50 us", align::right},
           {"p99 us", align::right},
           {"max us", align::right},
           {a.slo->text()}});
  for (const trial& one : r.trials)
    t.add({fmt::format("{:.0f}", one.rate), fmt::format("{:.0f}", requests_per_second(one.result)),
           fmt::format("{:.1f}", us(one.result, 0.5)), fmt::format("{:.1f}", us(one.result, 0.99)),
           fmt::format("{:.1f}", max_us(one.result)), one.met ? "met" : "missed"});
  std::string text = t.text() + "\n";
  if (r.found == 0) return text + fmt::format("No rate tried meets {}.\n", a.slo->text());
  text += fmt::format("{:.0f}/s is the highest rate found that meets {}", r.found, a.slo->text());
  if (r.missed > 0) text += fmt::format("; {:.0f}/s misses it", r.missed);
  return text + ".\n\n";
}

// The server's part of the JSON, as far as it can be seen from outside.
std::optional<server_figures> figures_of(const bench_result& r) {
  if (!r.server) return std::nullopt;
  const account& s = *r.server;
  const double ticks = s.user_us + s.system_us;
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  server_figures f;
  f.cpu_us = s.cpu_us;
  f.user_us = ticks > 0 ? s.cpu_us * s.user_us / ticks : unknown;
  f.system_us = ticks > 0 ? s.cpu_us * s.system_us / ticks : unknown;
  f.context_switches = s.context_switches;
  f.rss_bytes = s.rss_bytes;
  f.threads = s.threads;
  return f;
}

std::string workload_name(const load_options& o) {
  return fmt::format("{} x {}, depth {}", o.sizes.text(), o.connections, o.depth);
}

ordered_json trials_as_json(const objective& wanted, const bench_result& r) {
  auto all = ordered_json::array();
  for (const trial& one : r.trials)
    all.push_back({{"rate", one.rate},
                   {"met", one.met},
                   {"requests_per_second", requests_per_second(one.result)},
                   {"p50", us(one.result, 0.5)},
                   {"p99", us(one.result, 0.99)},
                   {"max", max_us(one.result)},
                   {"errors", one.result.errors}});
  return {{"objective", wanted.text()},
          {"rate", r.found > 0 ? ordered_json(r.found) : ordered_json()},
          {"missed", r.missed > 0 ? ordered_json(r.missed) : ordered_json()},
          {"trials", std::move(all)}};
}

}  // namespace

std::string bench_as_text(const bench_arguments& a, const bench_result& r) {
  load_options o = a.load;
  if (a.slo) o.rate = r.found;
  const std::string search = trials_text(a, r);
  if (a.slo && r.found == 0) return headline(o) + search;
  return search + headline(o) + load_text(o, r.load) + client_text(r.load) + server_text(r);
}

ordered_json bench_as_json(const bench_arguments& a, const bench_result& r) {
  ordered_json row = row_as_json({}, workload_name(a.load), r.load, figures_of(r));
  row["latency_us"]["p99_99"] = us(r.load, 0.9999);
  if (r.server) {
    row["server"]["descriptors"] = r.server->descriptors;
    row["server"]["processes"] = r.server->processes;
  }
  row["client"] = {{"threads", r.load.threads},
                   {"cpu_us_per_request", each(r.load.client_cpu_seconds * 1e6, r.load)},
                   {"busiest_thread", r.load.busiest_thread},
                   {"was_bottleneck", r.load.client_was_busy()}};
  if (a.slo) row["slo"] = trials_as_json(*a.slo, r);
  return row;
}

std::string live_text(const live_figures& f) {
  const auto ms = [&](double q) { return static_cast<double>(f.latency.quantile_ns(q)) / 1e6; };
  std::string text = fmt::format("{} requests/s, p50 {:.2f} p99 {:.2f} ms, {} errors", f.requests,
                                 ms(0.5), ms(0.99), f.errors);
  if (!f.counting) text += ", warming up";
  const std::string left = time_left(f.end);
  return left.empty() ? text : text + ", " + left;
}

}  // namespace iolite::app

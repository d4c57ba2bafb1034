#include "measure/measure.hpp"

#include "measure/loaded_server.hpp"
#include "terminal/options.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <sys/wait.h>

namespace iolite::app {

namespace {

using namespace std::chrono_literals;
using nlohmann::ordered_json;

constexpr auto start_limit = 10s;
constexpr auto stop_limit = 6s;  // a drain takes 3 s at most, see serve_options

double microseconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
}

call_counts difference(const call_counts& all, const call_counts& before) {
  call_counts out;
  for (const auto& [name, count] : all) {
    const auto b = before.find(name);
    const std::uint64_t off = b == before.end() ? 0 : b->second;
    if (count > off) out[name] = count - off;
  }
  return out;
}

ordered_json latency_as_json(const histogram& h) {
  const auto us = [&](double q) { return static_cast<double>(h.quantile_ns(q)) / 1e3; };
  return {{"p50", us(0.5)},
          {"p90", us(0.9)},
          {"p99", us(0.99)},
          {"p99_9", us(0.999)},
          {"max", static_cast<double>(h.max_ns()) / 1e3}};
}

ordered_json server_as_json(const load_result& r, const std::optional<server_figures>& s) {
  if (!s)
    return {{"cpu_us_per_request", nullptr},
            {"user_us_per_request", nullptr},
            {"sys_us_per_request", nullptr},
            {"syscalls_per_request", nullptr},
            {"context_switches_per_request", nullptr},
            {"rss_bytes", nullptr},
            {"threads", nullptr}};
  return {{"cpu_us_per_request", each(s->cpu_us, r)},
          {"user_us_per_request", each(s->user_us, r)},
          {"sys_us_per_request", each(s->system_us, r)},
          {"syscalls_per_request",
           s->calls ? ordered_json(each(static_cast<double>(s->all_calls()), r)) : ordered_json()},
          {"context_switches_per_request", each(static_cast<double>(s->context_switches), r)},
          {"rss_bytes", s->rss_bytes},
          {"threads", s->threads}};
}

}  // namespace

std::uint64_t server_figures::all_calls() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : calls.value_or(call_counts())) sum += count;
  return sum;
}

std::expected<server_process, std::string> server_process::start(const std::string& model,
                                                                 unsigned workers,
                                                                 clock::duration spin,
                                                                 const cpu_set_t* cores) {
  auto process = child::start({"serve", "echo", "--model", model, "--listen", "127.0.0.1:0",
                               "--workers", std::to_string(workers), "--spin", duration_text(spin)},
                              cores);
  if (!process) return std::unexpected(process.error());
  const auto line = process->read_line(start_limit);
  const auto ready = line ? read_ready(*line) : std::nullopt;
  if (!ready) {
    const child_exit end = process->stop(1s);
    const std::string said = process->complaint();
    return std::unexpected(
        said.empty() ? "the server " + end_text(end.status) + " before it was ready" : said);
  }
  const auto at = endpoint::parse(ready->address);
  if (!at) return std::unexpected(at.error().message);
  return server_process(std::move(*process), *ready, *at);
}

void server_process::look() {
  // Every fourth tick of the load, 200 ms: reading /proc takes time on the client's core.
  if (looks_++ % 4 != 1) return;
  const process_sample s = process_.sample();
  threads_ = std::max(threads_, s.threads);
  rss_bytes_ = std::max(rss_bytes_, s.peak_rss_bytes);
  // Slow, so once: with processes for connections nothing changes while all of them are loaded.
  if (looks_ == 2 && !s.children.empty())
    rss_bytes_ = std::max(rss_bytes_, process_.shared_rss_bytes(s.children));
}

std::expected<server_figures, std::string> server_process::stop() {
  rss_bytes_ = std::max(rss_bytes_, process_.sample().peak_rss_bytes);
  const child_exit end = process_.stop(stop_limit);
  if (!WIFEXITED(end.status) || WEXITSTATUS(end.status) != 0) {
    const std::string said = process_.complaint();
    const std::string how = "the server " + end_text(end.status);
    return std::unexpected(said.empty() ? how : fmt::format("{}: {}", how, said));
  }
  server_figures f;
  f.user_us = std::max(0.0, microseconds(end.used.ru_utime) - ready_.used.user_us);
  f.system_us = std::max(0.0, microseconds(end.used.ru_stime) - ready_.used.system_us);
  f.cpu_us = f.user_us + f.system_us;
  const auto switches = static_cast<std::uint64_t>(end.used.ru_nvcsw + end.used.ru_nivcsw);
  f.context_switches = switches - std::min(switches, ready_.used.context_switches);
  f.rss_bytes = rss_bytes_;
  f.threads = threads_;
  const auto line = process_.read_line(0s);
  if (const auto calls = line ? read_drained(*line) : std::nullopt)
    f.calls = difference(*calls, ready_.calls);
  return f;
}

double requests_per_second(const load_result& r) noexcept {
  return r.seconds > 0 ? static_cast<double>(r.requests) / r.seconds : 0;
}

double each(double total, const load_result& r) noexcept {
  return r.all_requests > 0 ? total / static_cast<double>(r.all_requests) : 0;
}

ordered_json row_as_json(const std::string& model, const std::string& workload,
                         const load_result& r, const std::optional<server_figures>& server) {
  ordered_json row = {{"model", model.empty() ? ordered_json() : ordered_json(model)},
                      {"workload", workload},
                      {"requests", r.requests},
                      {"unanswered", r.unanswered},
                      {"seconds", r.seconds},
                      {"requests_per_second", requests_per_second(r)},
                      {"latency_us", latency_as_json(r.latency)},
                      {"server", server_as_json(r, server)},
                      {"errors", r.errors}};
  return row;
}

}  // namespace iolite::app

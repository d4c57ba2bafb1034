#include "commands/simulation.hpp"

#include "load/load.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace iolite::app {
namespace {

constexpr std::size_t trace_lines = 30;

simulate::options options_of(const simulation& s) {
  simulate::options o;
  o.faults = simulate::faults::some();
  if (s.scenario->meets_resets) o.faults.reset = 0.002;
  o.only = s.only;
  return o;
}

simulate::report run_world(const simulation& s, std::uint64_t seed, const simulate::options& o,
                           std::string* trace = nullptr) {
  const auto told = s.scenario->make();  // outlives the world
  simulate::world w(seed, o);
  told->build(w, s.model, seed);
  simulate::report r = w.finish();
  if (r.ok()) {
    if (const std::string wrong = told->complaint(); !wrong.empty()) r.failures.push_back(wrong);
  }
  if (trace) *trace = w.trace();
  return r;
}

std::string command(const simulation& s, std::uint64_t seed,
                    const std::optional<std::vector<std::uint64_t>>& only) {
  std::string out =
      fmt::format("iolite simulate {} --model {} --seed {}", s.scenario->name, s.model, seed);
  if (only)
    out += only->empty() ? " --only none" : fmt::format(" --only {}", fmt::join(*only, ","));
  return out;
}

}  // namespace

void simulation_totals::add(const simulate::report& r) {
  ++seeds;
  virtual_seconds += std::chrono::duration<double>(r.elapsed).count();
  calls += r.calls;
  for (const auto& [name, n] : r.faults) faults[name] += n;
}

simulate::report run_seed(const simulation& s, std::uint64_t seed) {
  return run_world(s, seed, options_of(s));
}

failing_seed look_closer(const simulation& s, std::uint64_t seed) {
  failing_seed out;
  simulate::options o = options_of(s);
  if (!s.only) {
    // An interrupt ends the search where it is: no smaller run is found any more.
    const auto run = [&](std::uint64_t n, const simulate::options& less) {
      return interruptible::signal() == 0 ? run_world(s, n, less) : simulate::report();
    };
    if (auto small = simulate::shrink(seed, o, run)) {
      small->minimal = small->minimal && interruptible::signal() == 0;
      out.faults = small->to_string();
      o.only = small->only;
    }
  }
  o.trace_lines = trace_lines;
  out.report = run_world(s, seed, o, &out.trace);
  out.repeat = command(s, seed, o.only);
  return out;
}

std::string text_of(const failing_seed& f) {
  std::string text = fmt::format("seed {}: failed\n", f.report.seed) + f.report.to_string();
  text += fmt::format("the last of the trace:\n{}", f.trace);
  if (!f.faults.empty()) text += f.faults;
  return text + "to repeat it: " + f.repeat + "\n";
}

nlohmann::ordered_json json_of(const simulation& s, const simulation_totals& all,
                               const std::optional<failing_seed>& failing) {
  nlohmann::ordered_json out = {{"scenario", s.scenario->name},
                                {"model", s.model},
                                {"seeds", all.seeds},
                                {"virtual_seconds", all.virtual_seconds},
                                {"system_calls", all.calls},
                                {"faults", all.faults},
                                {"failing", nullptr}};
  if (!failing) return out;
  auto needed = nlohmann::ordered_json::array();
  for (const auto& f : failing->report.injected)
    needed.push_back({{"number", f.number},
                      {"what", f.what},
                      {"program", f.program},
                      {"seconds", std::chrono::duration<double>(f.when).count()}});
  out["failing"] = {{"seed", failing->report.seed},
                    {"report", failing->report.to_string()},
                    {"trace", failing->trace},
                    {"faults", needed},
                    {"repeat", failing->repeat}};
  return out;
}

// Clients run on it as well as servers, so it has no placement.
std::string why_not_simulated(const std::string& model) {
  simulate::world w(1);
  w.run(w.add_host("client"), model, []() -> task<> { co_return; });
  const auto r = w.finish();
  return r.failures.empty() ? std::string() : r.failures.front();
}

}  // namespace iolite::app

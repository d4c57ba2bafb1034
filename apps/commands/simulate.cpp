// iolite simulate: programs on a simulated kernel, seed by seed.
#include "commands/commands.hpp"
#include "commands/simulation.hpp"
#include "load/load.hpp"
#include "load/schedule.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"
#include "terminal/status_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace iolite::app {

namespace {

struct simulate_arguments {
  std::string scenario = "list";
  std::string model = "epoll";
  std::optional<std::uint64_t> seed;
  unsigned seeds = 100;
  double minutes = 0;  // 0: by seeds
  std::string only;
  std::string json_target;
};

std::string scenario_list() {
  std::string text;
  for (const scenario& s : scenarios()) text += fmt::format("  {:<11} {}\n", s.name, s.what);
  return text;
}

std::string check_scenario(const std::string& name) {
  const auto all = scenarios();
  if (name == "list" || std::ranges::find(all, name, &scenario::name) != all.end()) return {};
  return fmt::format("there is no scenario '{}'; iolite simulate lists them", name);
}

// "17,42"; "none" is no fault at all.
parsed<std::vector<std::uint64_t>> parse_numbers(const std::string& text) {
  std::vector<std::uint64_t> out;
  if (text == "none") return out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto n = parse_whole(std::string_view(text).substr(begin, end - begin));
    if (!n) return std::unexpected(fmt::format("--only: {}", n.error()));
    out.push_back(*n);
    begin = end + 1;
  }
  return out;
}

std::string real_name(const std::string& model) {
  if (!model.starts_with("auto")) return model;
  const char* const wanted =
      std::getenv("IOLITE_MODEL");  // NOLINT(concurrency-mt-unsafe): read only
  return wanted ? wanted : "epoll";
}

// Which seeds: one, so many, or as many as there is time for.
class seeds_to_run {
 public:
  explicit seeds_to_run(const simulate_arguments& a)
      : first_(a.seed.value_or(1)), count_(a.seed          ? 1
                                           : a.minutes > 0 ? ~std::uint64_t{0}
                                                           : a.seeds) {
    if (a.minutes > 0) end_ = deadline_after(clock::now(), length_of(a.minutes * 60));
  }
  [[nodiscard]] std::optional<std::uint64_t> next() {
    const bool late = done_ > 0 && clock::now() >= end_;  // one is always run
    if (done_ == count_ || late || interruptible::signal() != 0) return std::nullopt;
    return first_ + done_++;
  }
  // "12 of 100 seeds", or "12 seeds, 40 s left".
  [[nodiscard]] std::string progress() const {
    if (end_ == never) return fmt::format("{} of {} seeds", done_, count_);
    return fmt::format("{} seeds, {}", done_, time_left(end_));
  }

 private:
  std::uint64_t first_, count_, done_ = 0;
  clock::time_point end_ = never;
};

// Up to the first seed that fails.
std::optional<failing_seed> run_all(const simulation& s, const simulate_arguments& a,
                                    simulation_totals& all) {
  seeds_to_run seeds(a);
  status_line line;
  while (const auto seed = seeds.next()) {
    const auto r = run_seed(s, *seed);
    all.add(r);
    line.show(fmt::format("{}, {}: {}{}", s.scenario->name, s.model, seeds.progress(),
                          r.ok() ? "" : ", one failed: looking for the faults it needs"));
    if (!r.ok()) return look_closer(s, *seed);
  }
  return std::nullopt;
}

std::string summary(const simulation& s, const simulation_totals& all) {
  std::uint64_t faults = 0;
  for (const auto& [name, n] : all.faults) faults += n;
  return fmt::format("{}, {}: {} seeds, {:.0f} s of virtual time, {} system calls, {} faults\n",
                     s.scenario->name, s.model, all.seeds, all.virtual_seconds, all.calls, faults);
}

int run_simulate(const simulate_arguments& a) {
  if (a.scenario == "list") return print(scenario_list()) ? status_done : status_failed;
  simulation s;
  s.scenario = &*std::ranges::find(scenarios(), a.scenario, &scenario::name);
  s.model = real_name(a.model);
  if (const std::string why = why_not_simulated(s.model); !why.empty()) return wrong_usage(why);
  if (!a.only.empty()) {
    const auto numbers = parse_numbers(a.only);
    if (!numbers) return wrong_usage(numbers.error());
    s.only = *numbers;
  }
  const interruptible signals;
  simulation_totals all;
  const auto failing = run_all(s, a, all);
  int status = status_done;
  if (a.json_target != "-" && !print((failing ? text_of(*failing) : "") + summary(s, all)))
    status = status_failed;
  if (!a.json_target.empty())
    status = std::max(status, write_json(a.json_target, json_of(s, all, failing)));
  if (failing)
    return failed(fmt::format("{} fails with seed {}; {}", s.scenario->name, failing->report.seed,
                              failing->repeat));
  return interruptible::signal() != 0 ? 128 + interruptible::signal() : status;
}

}  // namespace

void add_simulate(CLI::App& app, action& chosen) {
  auto args = std::make_shared<simulate_arguments>();
  CLI::App& c = *app.add_subcommand("simulate", "programs in a simulated world, with faults");
  c.add_option("scenario", args->scenario, "which one, see below; without one they are listed")
      ->type_name("SCENARIO")
      ->check(check_scenario);
  c.add_option("--model", args->model, "of all its programs: select, poll, epoll, ...")
      ->type_name("MODEL")
      ->default_str("epoll");
  auto* const seed = add_whole(c, "--seed", args->seed, "this one only");
  auto* const seeds = add_count(c, "--seeds", args->seeds, 1, 1'000'000'000, "from 1 on");
  auto* const minutes =
      add_minutes(c, "--minutes", args->minutes, "as many seeds as there is time for");
  seed->excludes(seeds)->excludes(minutes);
  seeds->excludes(minutes);
  add_name(c, "--only", args->only, "only faults with these numbers happen; `none`: no fault")
      ->type_name("N,N...")
      ->needs(seed);
  add_json(c, args->json_target);
  c.footer("Scenarios:\n" + scenario_list() +
           "\nA run that fails is repeated with fewer and fewer faults; the last line says how to\n"
           "repeat the smallest one.\n"
           "\nExamples:\n  iolite simulate log --seeds 1000\n"
           "  iolite simulate chat --model io_uring --minutes 5\n"
           "  iolite simulate careless");
  c.callback([args, &chosen] { chosen = [args] { return run_simulate(*args); }; });
}

}  // namespace iolite::app

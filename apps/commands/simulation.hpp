// Runs of a scenario, for `iolite simulate`: one by one, and a failing one shrunk.
#pragma once
#include "scenarios/scenario.hpp"

#include "iolite/simulate/shrink.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>

namespace iolite::app {

struct simulation {
  const app::scenario* scenario = nullptr;
  std::string model = "epoll";
  std::optional<std::vector<std::uint64_t>> only;  // the faults that may happen
};

// All that was run.
struct simulation_totals {
  std::uint64_t seeds = 0;
  double virtual_seconds = 0;
  std::uint64_t calls = 0;
  std::map<std::string, std::uint64_t> faults;

  void add(const simulate::report& r);
};

// A seed that fails, as small as it gets.
struct failing_seed {
  simulate::report report;  // of the smallest run
  std::string faults;  // how many there were, and those that are needed
  std::string trace;  // its last lines
  std::string repeat;  // the command
};

[[nodiscard]] simulate::report run_seed(const simulation& s, std::uint64_t seed);
// Of one that fails.
[[nodiscard]] failing_seed look_closer(const simulation& s, std::uint64_t seed);

[[nodiscard]] std::string text_of(const failing_seed& f);
[[nodiscard]] nlohmann::ordered_json json_of(const simulation& s, const simulation_totals& all,
                                             const std::optional<failing_seed>& failing);
// Why no server runs under it in a simulated world, or nothing.
[[nodiscard]] std::string why_not_simulated(const std::string& model);

}  // namespace iolite::app

// Reduces a failing run of a simulated world to the fewest faults that still make it fail.
//
//   const auto run = [](std::uint64_t seed, const simulate::options& o) { return ...finish(); };
//   const auto small = iolite::simulate::shrink(17, options, run);
//   if (small) std::puts(small->to_string().c_str());
#pragma once
#include "iolite/simulate.hpp"

#include <optional>

namespace iolite::simulate {

// The smallest run found that still fails.
struct shrunk {
  // Of the smallest run that fails. Its `injected` are the faults that are needed: without any one
  // of them the run does not fail. Empty: it fails without faults.
  report least;
  std::vector<std::uint64_t> only;  // their numbers, as options::only takes them
  std::size_t before = 0;  // faults of the run as it was
  std::size_t runs = 0;  // that it took
  bool minimal = false;  // false: `runs_max` were not enough

  // The faults, a line each, for a person.
  [[nodiscard]] std::string to_string() const;
};

// `run` makes a world from a seed and options, runs it and gives its report; the same each time.
// Nothing: the run does not fail.
[[nodiscard]] std::optional<shrunk>
shrink(std::uint64_t seed, const options& o,
       const std::function<report(std::uint64_t seed, const options& o)>& run,
       std::size_t runs_max = 1000);

}  // namespace iolite::simulate

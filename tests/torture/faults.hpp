// Which faults are played, given what a run without one has done.
#pragma once
#include "kernel/faulty.hpp"

#include <string>
#include <vector>

namespace iolite_test {

// One run: all of this fails in it.
struct play {
  std::vector<iolite::fault> calls;
  std::vector<iolite::completion_fault> completions;
  std::uint64_t allocation = 0;  // the first that fails; 0: none
  std::uint64_t allocations = 1;  // how many do
};

// "recv number 2 fails with errno 104, from then on"
[[nodiscard]] std::string describe(const play& p);

struct faulty_counts {
  iolite::call_counts calls{};
  std::array<std::uint64_t, 64> completions{};  // by opcode
  std::uint64_t injected = 0;
};
[[nodiscard]] faulty_counts counts_of(const iolite::faulty& os) noexcept;

[[nodiscard]] std::vector<play> failing_calls(const faulty_counts& in);
[[nodiscard]] std::vector<play> failing_allocations(std::uint64_t in);
[[nodiscard]] std::vector<play> failing_completions(const faulty_counts& in);
// `n` pairs of the above.
[[nodiscard]] std::vector<play> failing_pairs(const faulty_counts& in, std::uint64_t allocations,
                                              std::uint64_t seed, std::size_t n);

}  // namespace iolite_test

// Small complete programs, each of which ends by itself whatever one system call answers, and
// whatever memory is not to be had.
//
// A scenario may fail, by an error value or an exception; it must not hang, crash or leave
// anything. Every wait is bounded, since what the other side waits for may never be sent.
#pragma once
#include "iolite/iolite.hpp"

#include <span>

namespace iolite_test {

struct scenario {
  const char* name;
  void (*play)(iolite::engine& on);
  // Play every n-th fault only: for those that take long.
  unsigned stride = 1;
};

// By subject; all_scenarios() has them all.
[[nodiscard]] std::span<const scenario> connection_scenarios() noexcept;
[[nodiscard]] std::span<const scenario> ending_scenarios() noexcept;
[[nodiscard]] std::span<const scenario> task_scenarios() noexcept;
[[nodiscard]] std::span<const scenario> file_scenarios() noexcept;
[[nodiscard]] std::span<const scenario> selector_scenarios() noexcept;
[[nodiscard]] std::span<const scenario> server_scenarios() noexcept;

}  // namespace iolite_test

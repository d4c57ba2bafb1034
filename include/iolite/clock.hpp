// Time as the library sees it: the system's monotonic clock, which wall-clock jumps do not move.
// On a simulated kernel the same type carries virtual time.
#pragma once
#include <chrono>

namespace iolite {

using clock = std::chrono::steady_clock;

// The deadline of an operation that may take for ever.
inline constexpr clock::time_point never = clock::time_point::max();

// `from + length`, but `never` where the sum would overflow: ten thousand years are for ever.
[[nodiscard]] constexpr clock::time_point deadline_after(clock::time_point from,
                                                         clock::duration length) noexcept {
  if (length >= never - from) return never;
  return length <= clock::duration::zero() ? from : from + length;
}

}  // namespace iolite

// Time as the library sees it: the system's monotonic clock, which wall-clock jumps do not move.
// In a program of a simulated world it tells the virtual time of the program's host, so that
// `sleep_until(clock::now() + 1s)` sleeps for a second there, too.
//
// It is a clock of its own, and its points in time are those of no other: what std::chrono's clocks
// tell inside a world is real time, and does not compile as a deadline.
#pragma once
#include <chrono>

namespace iolite {

// A clock of the standard library: [time.clock.req].
struct clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;

  // Never decreases within a process; starts anywhere. Any thread.
  [[nodiscard]] static time_point now() noexcept;
};

// The deadline of an operation that may take for ever.
inline constexpr clock::time_point never = clock::time_point::max();

// `from + length`, but `never` where the sum would overflow: ten thousand years are for ever.
[[nodiscard]] constexpr clock::time_point deadline_after(clock::time_point from,
                                                         clock::duration length) noexcept {
  if (length >= never - from) return never;
  return length <= clock::duration::zero() ? from : from + length;
}

}  // namespace iolite

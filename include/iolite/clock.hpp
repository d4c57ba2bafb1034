// The library's clock: the system's monotonic clock, which wall-clock jumps do not affect. In a
// program of a simulated world it gives the virtual time of the program's host, so that
// `sleep_until(now() + 1s)` sleeps for a second there, too.
//
// It is a distinct clock type: the clocks of std::chrono give real time inside a world, and their
// time points do not compile as deadlines.
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

  // Never decreases within a process. The epoch is unspecified. Any thread.
  [[nodiscard]] static time_point now() noexcept;
};

// The time that sleeps and deadlines use, virtual in a simulated world. Any thread.
[[nodiscard]] inline clock::time_point now() noexcept { return clock::now(); }

// The deadline of an operation without a limit.
inline constexpr clock::time_point never = clock::time_point::max();

// `from + length`, or `never` if the sum would overflow.
[[nodiscard]] constexpr clock::time_point deadline_after(clock::time_point from,
                                                         clock::duration length) noexcept {
  if (length >= never - from) return never;
  return length <= clock::duration::zero() ? from : from + length;
}

}  // namespace iolite

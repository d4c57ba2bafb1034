// When one of the connections of a load sends: whenever it likes, or at evenly spaced moments.
#pragma once
#include "iolite/clock.hpp"

#include <cstdint>
#include <utility>

namespace iolite::app {

// A length of so many seconds, at least one tick; for ever where it does not fit.
[[nodiscard]] constexpr clock::duration length_of(double seconds) noexcept {
  const double ticks = seconds * clock::period::den / clock::period::num;
  if (!(ticks < 9e18)) return clock::duration::max();
  return clock::duration(ticks < 1 ? 1 : static_cast<clock::rep>(ticks));
}

class schedule {
 public:
  // Whenever it likes.
  schedule() noexcept = default;
  schedule(clock::time_point first, clock::duration period) noexcept
      : period_(period), next_(first) {}

  [[nodiscard]] bool fixed() const noexcept { return period_ > clock::duration::zero(); }
  // The next moment that has not been used.
  [[nodiscard]] clock::time_point next() const noexcept { return next_; }
  void use() noexcept { next_ = deadline_after(next_, period_); }
  [[nodiscard]] clock::duration period() const noexcept { return period_; }
  // How many moments before `end` have not been used.
  [[nodiscard]] std::uint64_t unused_before(clock::time_point end) const noexcept {
    if (!fixed() || next_ >= end) return 0;
    return static_cast<std::uint64_t>((end - next_ - clock::duration(1)) / period_) + 1;
  }

 private:
  clock::duration period_ = clock::duration::zero();
  clock::time_point next_;
};

}  // namespace iolite::app

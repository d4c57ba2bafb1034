// When one of the connections of a load sends: whenever it likes, or at moments fixed in advance.
#pragma once
#include "load/random.hpp"

#include "iolite/clock.hpp"

#include <cmath>
#include <cstdint>

namespace iolite::app {

// A length of so many seconds, at least one tick; for ever where it does not fit.
[[nodiscard]] constexpr clock::duration length_of(double seconds) noexcept {
  const double ticks = seconds * clock::period::den / clock::period::num;
  if (!(ticks < 9e18)) return clock::duration::max();
  return clock::duration(ticks < 1 ? 1 : static_cast<clock::rep>(ticks));
}

enum class arrivals : bool { constant, poisson };

// A rate that rises evenly from zero and then stays: which event comes when.
struct rising_rate {
  double rate = 1;  // events a second, in the end
  double ramp = 0;  // seconds until then

  [[nodiscard]] double seconds_until(double events) const noexcept {
    return events < rate * ramp / 2 ? std::sqrt(2 * events * ramp / rate)
                                    : ramp / 2 + events / rate;
  }
  [[nodiscard]] double events_by(double seconds) const noexcept {
    return seconds < ramp ? rate * seconds * seconds / (2 * ramp) : rate * (seconds - ramp / 2);
  }
};

class schedule {
 public:
  // Whenever it likes.
  schedule() noexcept = default;
  // Every `step`-th of the events of `rate` since `began`, from number `first` on. As a
  // Poisson process, the distances between them are drawn with this mean, and `first` is a seed.
  schedule(clock::time_point began, rising_rate rate, std::uint64_t first, std::uint64_t step,
           arrivals kind) noexcept
      : began_(began), rate_(rate), step_(static_cast<double>(step)), kind_(kind), chance_(first),
        event_(kind == arrivals::constant ? static_cast<double>(first) : distance()) {
    next_ = moment_of(event_);
  }

  [[nodiscard]] bool fixed() const noexcept { return step_ > 0; }
  // The next moment that has not been used.
  [[nodiscard]] clock::time_point next() const noexcept { return next_; }
  void use() noexcept {
    if (!fixed()) return;
    event_ += distance();
    next_ = moment_of(event_);
  }
  // The mean distance of moments when the rate has risen.
  [[nodiscard]] clock::duration period() const noexcept { return length_of(step_ / rate_.rate); }
  // How many moments before `end` have not been used: of a Poisson process the number to be
  // expected, at least the next one.
  [[nodiscard]] std::uint64_t unused_before(clock::time_point end) const noexcept {
    if (!fixed() || next_ >= end) return 0;
    const double passed = std::chrono::duration<double>(end - clock::duration(1) - began_).count();
    const double more = (rate_.events_by(passed) - event_) / step_;
    return more > 0 ? static_cast<std::uint64_t>(more) + 1 : 1;
  }

 private:
  [[nodiscard]] double distance() noexcept {
    return kind_ == arrivals::constant ? step_ : step_ * chance_.exponential();
  }
  [[nodiscard]] clock::time_point moment_of(double event) const noexcept {
    return deadline_after(began_, length_of(rate_.seconds_until(event)));
  }

  clock::time_point began_;
  rising_rate rate_;
  double step_ = 0;  // 0: no moments
  arrivals kind_ = arrivals::constant;
  random_source chance_{0};
  double event_ = 0;  // the number of the next one
  clock::time_point next_;
};

}  // namespace iolite::app

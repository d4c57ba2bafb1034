// When an engine asks its facility again and again for a while before it sleeps.
//
// To be woken takes longer than most answers: with one connection it is most of the latency. But a
// spin in vain is processor time burnt, so it is done only while it pays: after each one in vain
// twice as many waits sleep at once, and of those only such as ended soon count towards the next
// try. Who hears nothing sleeps.
#pragma once
#include "iolite/clock.hpp"

#include <algorithm>

namespace iolite {

class spin_policy {
 public:
  explicit spin_policy(clock::duration length) noexcept : length_(length) {}

  [[nodiscard]] clock::duration length() const noexcept { return length_; }
  [[nodiscard]] bool worth_it() const noexcept { return sleeps_left_ == 0; }
  void paid() noexcept { penalty_ = 0; }
  void was_in_vain() noexcept {
    penalty_ = std::min(penalty_ * 2 + 1, penalty_max);
    sleeps_left_ = penalty_;
  }
  // Waking up takes some time too: what came a little late would have been met by a spin.
  void slept(clock::duration time) noexcept {
    if (time <= 4 * length_ && sleeps_left_ > 0) --sleeps_left_;
  }

 private:
  static constexpr unsigned penalty_max = 255;

  const clock::duration length_;
  unsigned penalty_ = 0;
  unsigned sleeps_left_ = 0;
};

}  // namespace iolite

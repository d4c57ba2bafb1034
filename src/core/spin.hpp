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
    asleep_ = soon();  // what follows does not count
  }
  // A sleep has parts: some facilities return early, and a deadline may be seen to be further off.
  void slept(clock::duration part) noexcept { asleep_ += part; }
  // There is something to do. Waking up takes some time too: what came a little late would have
  // been met by a spin.
  void has_woken() noexcept {
    if (asleep_ <= soon() && sleeps_left_ > 0) --sleeps_left_;
    asleep_ = {};
  }

 private:
  static constexpr unsigned penalty_max = 255;
  [[nodiscard]] clock::duration soon() const noexcept { return 4 * length_; }

  const clock::duration length_;
  unsigned penalty_ = 0;
  unsigned sleeps_left_ = 0;
  clock::duration asleep_{};  // since there was something to do
};

}  // namespace iolite

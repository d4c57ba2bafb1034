// Receives that are not handed to the kernel at once. One that finds its data there costs no poll
// inside the kernel and no second look, and a client that has just been answered needs a moment for
// its next request: each turn hands over a quarter of those that wait here, the oldest first.
//
// Where many wait, a turn is long enough by itself: all go at once.
#pragma once
#include "iolite/core/operation.hpp"

namespace iolite {

class deferred_receives {
 public:
  void add(operation& op) noexcept {
    op.queue = op_queue::deferred;
    list_.push(op);
    ++size_;
  }
  // False: it is not here.
  bool remove(operation& op) noexcept {
    if (op.queue != op_queue::deferred) return false;
    op.queue = op_queue::none;
    list_.remove(op);
    --size_;
    return true;
  }
  // How many are to go in this turn: none only when none are here.
  [[nodiscard]] std::size_t due() const noexcept { return size_ > few ? size_ : (size_ + 3) / 4; }
  operation& take() noexcept {
    operation& oldest = *list_.front();
    remove(oldest);
    return oldest;
  }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  static constexpr std::size_t few = 512;
  operation_queue list_;
  std::size_t size_ = 0;
};

}  // namespace iolite

// Descriptors to be looked at again after a while, whatever their facility has reported.
#pragma once
#include "iolite/clock.hpp"

#include <new>
#include <vector>

namespace iolite {

class second_looks {
 public:
  static constexpr clock::duration after = std::chrono::milliseconds(10);

  // `fd` is not on the list yet. False: no memory, it is believed.
  bool add(int fd, clock::time_point now) noexcept {
    try {
      list_.push_back(fd);
    } catch (const std::bad_alloc&) {
      return false;
    }
    if (list_.size() == 1) next_ = now + after;
    return true;
  }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }

  // When it is time, calls done_with(fd) for each and drops those for which it is true. How long
  // until the next time.
  template <class DoneWith>
  clock::duration look(clock::time_point now, DoneWith done_with) noexcept {
    if (now < next_) return next_ - now;
    next_ = now + after;
    std::erase_if(list_, done_with);
    return after;
  }

 private:
  std::vector<int> list_;
  clock::time_point next_;
};

}  // namespace iolite

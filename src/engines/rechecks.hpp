// Descriptors to be looked at again after a while, whatever their facility has reported.
#pragma once
#include "iolite/clock.hpp"

#include <new>
#include <optional>
#include <poll.h>
#include <span>
#include <vector>

namespace iolite {

class rechecks {
 public:
  static constexpr clock::duration after = std::chrono::milliseconds(10);

  // `fd` is not on the list yet. False: no memory, it is believed.
  bool add(int fd, clock::time_point now) noexcept {
    try {
      list_.push_back(fd);
      asked_.reserve(list_.capacity());
    } catch (const std::bad_alloc&) {
      if (!list_.empty() && list_.back() == fd) list_.pop_back();
      return false;
    }
    if (list_.size() == 1) next_ = now + after;
    return true;
  }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  // How long until it is time; zero: it is.
  [[nodiscard]] clock::duration left(clock::time_point now) const noexcept {
    return now < next_ ? next_ - now : clock::duration::zero();
  }

  // What to ask poll(2). `events_of(fd)` says it of each: 0 is nothing this time, nullopt takes it
  // off the list.
  template <class EventsOf>
  std::span<pollfd> questions(clock::time_point now, EventsOf events_of) noexcept {
    next_ = now + after;
    asked_.clear();
    std::erase_if(list_, [&](int fd) {
      const std::optional<short> events = events_of(fd);
      if (events && *events != 0) asked_.push_back({fd, *events, 0});
      return !events;
    });
    return asked_;
  }

 private:
  std::vector<int> list_;
  std::vector<pollfd> asked_;
  clock::time_point next_;
};

}  // namespace iolite

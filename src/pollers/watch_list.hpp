// The watched descriptors, as the array that poll(2) takes: dense, with O(1) add, change, remove
// and find. Shared by the pollers that keep the list themselves because their facility does not.
#pragma once
#include "pollers/poller.hpp"

#include <cerrno>
#include <cstddef>
#include <new>
#include <vector>

namespace iolite {

class watch_list {
 public:
  static constexpr std::size_t nowhere = ~std::size_t{0};

  // As poller::update(): 0, -EEXIST, -ENOENT, -ENOMEM. Ends a silence.
  int update(watch_token t, interest before, interest after) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return fds_.size(); }
  [[nodiscard]] std::size_t room() const noexcept { return fds_.capacity(); }
  [[nodiscard]] std::span<pollfd> fds() noexcept { return fds_; }
  [[nodiscard]] pollfd& operator[](std::size_t i) noexcept { return fds_[i]; }
  [[nodiscard]] watch_token token(std::size_t i) const noexcept { return tokens_[i]; }
  [[nodiscard]] std::size_t find(int fd) const noexcept {
    return fd >= 0 && static_cast<std::size_t>(fd) < places_.size()
               ? places_[static_cast<std::size_t>(fd)]
               : nowhere;
  }
  // A descriptor closed without a remove would be "ready" for ever. poll(2) skips negative numbers.
  void silence(std::size_t i) noexcept { fds_[i].fd = ~tokens_[i].fd; }
  [[nodiscard]] bool silent(std::size_t i) const noexcept { return fds_[i].fd < 0; }

 private:
  std::vector<pollfd> fds_;
  std::vector<watch_token> tokens_;  // parallel to fds_
  std::vector<std::size_t> places_;  // descriptor -> its index in fds_
};

// 0, or -EBADF: what epoll_ctl(2) checks for itself and poll(2) would tell only later.
[[nodiscard]] int check_open(kernel& os, int fd) noexcept;

// Room for `n` before they come: false when there is no memory.
template <class T>
[[nodiscard]] bool make_room(std::vector<T>& v, std::size_t n) noexcept try {
  v.reserve(n);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

// As watch_list::update(), and whoever is added gets a place in each of `others` too, so that a
// wait needs no memory.
template <class... T>
[[nodiscard]] int update_with_room(watch_list& list, watch_token t, interest before, interest after,
                                   std::vector<T>&... others) noexcept {
  if (const int r = list.update(t, before, after); r < 0 || before != interest::none) return r;
  if ((make_room(others, list.room()) && ...)) return 0;
  static_cast<void>(list.update(t, after, interest::none));
  return -ENOMEM;
}

}  // namespace iolite

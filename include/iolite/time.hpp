// Waiting for a time. Bounding how long something may take: limit.hpp.
//
//   co_await iolite::sleep(20ms);             // until `never`: until it is cancelled
//
// Never early. Late by at most the engine's resolution and the wake-up: 65 microseconds, and 1 ms
// where the facility counts in milliseconds (blocking, poll, epoll, posix_aio).
#pragma once
#include "iolite/limit.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <coroutine>

namespace iolite {

// co_await: result<void>. sleep() and sleep_until() make it.
class sleep_operation : public awaitable_operation {
 public:
  explicit sleep_operation(clock::time_point until) noexcept;
  explicit sleep_operation(clock::duration length) noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    set_deadline(h.promise().ctx());
    return begin(h, h.promise().ctx());
  }
  // An error only when cancelled.
  result<void> await_resume() noexcept;

 private:
  void set_deadline(const context& c) noexcept;
  using operation::deadline;  // no within(): a sleep is a limit itself
  // Whichever comes first; the length is counted from each await.
  clock::time_point until_ = never;
  clock::duration length_ = clock::duration::max();
};

[[nodiscard]] inline sleep_operation sleep(clock::duration length) noexcept {
  return sleep_operation(length);
}
[[nodiscard]] inline sleep_operation sleep_until(clock::time_point until) noexcept {
  return sleep_operation(until);
}

}  // namespace iolite

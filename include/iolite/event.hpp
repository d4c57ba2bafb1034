// An event: tasks wait until it is set. Any thread may set it, on any engine: a task that waits
// suspends on an event loop and blocks its thread on a blocking engine. Destroying an event before
// all tasks that waited for it go on again stops the program.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <cstddef>
#include <mutex>

namespace iolite {

namespace detail {

// The tasks that wait for something, in order. Any thread; the owner's lock guards it.
class wait_list : public event_source {
 public:
  explicit wait_list(std::mutex& lock) noexcept : lock_(lock) {}
  wait_list(const wait_list&) = delete;
  wait_list& operator=(const wait_list&) = delete;
  ~wait_list();  // takes the lock; stops the program if a wait has not ended
  bool forget(operation& op) noexcept override;  // takes the lock

  // With the lock held: completes the first, or all, of those who wait. False: there is none.
  bool wake_one() noexcept;
  void wake_all() noexcept;
  [[nodiscard]] std::mutex& lock() const noexcept { return lock_; }

 private:
  friend class listed_operation;
  std::mutex& lock_;
  operation_queue waiting_;
  std::size_t waits_ = 0;  // that have begun on it and not ended: also those that were woken
};

class listed_operation : public awaitable_operation {
 protected:
  // With the lock held; true: suspended and on the list.
  bool begin_on(wait_list& list, std::coroutine_handle<> h, const context& c) noexcept;
  // Nothing, or canceled, timed out.
  result<void> end_on(wait_list& list) noexcept;
};

// Waits on `list` unless holds(), which is asked with the lock held.
template <class Holds>
class condition_wait : public listed_operation {
 public:
  condition_wait(wait_list& list, Holds holds) noexcept : list_(list), holds_(holds) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    const std::lock_guard hold(list_.lock());
    return holds_() ? begin_over(h, h.promise().ctx()) : begin_on(list_, h, h.promise().ctx());
  }
  result<void> await_resume() noexcept { return end_on(list_); }

 private:
  wait_list& list_;
  Holds holds_;
};

}  // namespace detail

class event {
 public:
  event() noexcept : waiting_(lock_) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  // co_await e.wait(): returns once the event is set, at once if it is; result<void>, an error when
  // cancelled or timed out.
  [[nodiscard]] auto wait() noexcept {
    return detail::condition_wait(waiting_, [this]() noexcept { return set_; });
  }
  // Wakes all who wait, and all who come, until reset(). Any thread.
  void set() noexcept;
  void reset() noexcept;
  [[nodiscard]] bool is_set() const noexcept;

 private:
  mutable std::mutex lock_;
  bool set_ = false;
  detail::wait_list waiting_;
};

}  // namespace iolite

// Waiting for a time, and bounding how long an operation may wait.
//
//   co_await iolite::sleep(20ms);             // until `never`: until it is cancelled
//   auto n = co_await (peer.recv(buffer) | iolite::within(5s));   // std::errc::timed_out
//
// Never early. Late by at most the engine's resolution and the wake-up: 65 microseconds, and 1 ms
// where the facility counts in milliseconds (blocking, poll, epoll, posix_aio).
#pragma once
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <algorithm>
#include <type_traits>

namespace iolite {

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

// A length of time, counted from when the bounded operation is awaited.
struct within {
  clock::duration limit;
};

namespace detail {

// `limit` from now, on the clock of the engine.
[[nodiscard]] clock::time_point deadline_on(const context& c, clock::duration limit) noexcept;

template <class Operation>
concept has_deadline =
    std::is_same_v<decltype(std::remove_reference_t<Operation>::deadline), clock::time_point>;

// Sets the deadline when the wait begins, unless the operation has an earlier one, and takes it
// back when it ends. It refers to the operation, so it is awaited where it is made: kept in a
// variable it does not compile.
template <class Operation>
class bounded {
 public:
  bounded(Operation& op, clock::duration limit) noexcept : op_(op), limit_(limit) {}

  struct awaiter {
    Operation& op;
    clock::duration limit;
    clock::time_point before = never;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) {
      before = op.deadline;
      op.deadline = std::min(before, deadline_on(h.promise().ctx(), limit));
      return op.await_suspend(h);
    }
    decltype(auto) await_resume() {
      op.deadline = before;
      return op.await_resume();
    }
  };
  [[nodiscard]] awaiter operator co_await() && noexcept { return {op_, limit_}; }

 private:
  Operation& op_;
  clock::duration limit_;
};

}  // namespace detail

template <class Operation>
  requires detail::has_deadline<Operation>
[[nodiscard]] detail::bounded<Operation> operator|(Operation& op, iolite::within w) noexcept {
  return {op, w.limit};
}
// The temporary lives until the co_await it stands in has returned.
template <class Operation>
  requires(detail::has_deadline<Operation> && !std::is_lvalue_reference_v<Operation>)
[[nodiscard]] detail::bounded<Operation> operator|(Operation&& op, iolite::within w) noexcept {
  return {op, w.limit};
}

}  // namespace iolite

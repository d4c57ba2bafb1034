// task<T>: a coroutine that starts when it is awaited and gives one T, or throws.
//
//   iolite::task<int> answer() { co_return 42; }
//   iolite::task<> outer() { int n = co_await answer(); }
//
// Lazy: nothing runs before the co_await (or scope::spawn, or engine::run). A task is awaited once,
// by one awaiter, and ends with co_return; anything else stops the program. Frames come from a free
// list of the thread: no malloc once warm. A task inherits its engine and its scope from its
// awaiter.
//
// A lambda with captures that is a coroutine keeps its captures in the lambda, not in the frame, so
// the lambda must outlive the task. in_scope() and scope::spawn() keep the lambda they are given;
// anywhere else pass what the coroutine needs as parameters.
#pragma once
#include "iolite/core/awaitable.hpp"
#include "iolite/core/frame_memory.hpp"
#include "iolite/core/rule_broken.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

template <class T = void>
class task;

namespace detail {

// A task that a scope has started, and nobody awaits, lets an exception out.
void child_threw(child_task& c, std::exception_ptr thrown) noexcept;
// It is over: its frame ends too.
void end_child(std::coroutine_handle<> frame, child_task& c) noexcept;

class promise_base {
 public:
  promise_base() noexcept {}
  promise_base(const promise_base&) = delete;
  promise_base& operator=(const promise_base&) = delete;
  ~promise_base() {
    if (holds(threw)) thrown_.~exception_ptr();
  }

  [[nodiscard]] bool was_awaited() const noexcept { return awaiter_ != 0; }
  // For what it awaits.
  [[nodiscard]] context ctx() const noexcept { return {in_->of->on, in_}; }
  // Its awaiter is inside await_suspend from begin() to suspended().
  void begin(const promise_base& parent, std::coroutine_handle<> awaiter) noexcept {
    in_ = parent.in_;
    awaiter_ = reinterpret_cast<std::uintptr_t>(awaiter.address()) | starting;
  }
  void suspended() noexcept { awaiter_ &= ~starting; }
  // It has ended without waiting. A loop over such tasks must not keep the engine from others: now
  // and then its awaiter waits for the next turn.
  bool gives_way(std::coroutine_handle<> awaiter) noexcept {
    if (holds(threw) || ++in_->of->unwaited % unwaited_max != 0) return false;
    awaiter_ |= gave_way;
    detail::give_way(awaiter, *in_);
    return true;
  }
  void resumed() noexcept {
    if (holds(gave_way)) in_->leave();
  }
  // A scope starts it, nobody awaits it.
  void begin(child_task& c) noexcept { in_ = &c; }
  void rethrow() {
    if (!holds(threw)) return;
    const std::exception_ptr e = std::move(thrown_);
    std::rethrow_exception(e);
  }

  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { give_frame(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) noexcept {
      // Ended before it ever suspended: its awaiter sees done() and goes on by itself.
      promise_base& p = h.promise();
      if (p.holds(starting)) return std::noop_coroutine();
      if (const std::uintptr_t awaiter = p.awaiter_ & ~threw) {
        return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(awaiter));
      }
      end_child(h, *p.in_);
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  final_awaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept {
    if (awaiter_ == 0) return child_threw(*in_, std::current_exception());
    awaiter_ |= threw;
    new (&thrown_) std::exception_ptr(std::current_exception());
  }

 private:
  // Kept below the address of the awaiter's frame.
  static constexpr std::uintptr_t starting = 1;
  static constexpr std::uintptr_t threw = 2;
  static constexpr std::uintptr_t gave_way = 4;
  static constexpr unsigned unwaited_max = 64;
  [[nodiscard]] bool holds(std::uintptr_t flag) const noexcept { return (awaiter_ & flag) != 0; }

  std::uintptr_t awaiter_ = 0;  // none: a scope has started it
  union {
    child_task* in_ = nullptr;
    std::exception_ptr thrown_;  // it awaits nothing more
  };
};

template <class T>
struct promise : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U = T>  // so that co_return {} is a T{}
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
};
template <>
struct promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;
  using value_type = T;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  // Resumes the child from here and not by symmetric transfer, which GCC 12 turns into a real call
  // at -O0 and under ASan: a loop over children that end at once would overflow the stack.
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> parent) {
    check_fresh();
    promise_type& child = frame_.promise();
    child.begin(parent.promise(), parent);
    frame_.resume();
    if (frame_.done()) return child.gives_way(parent);
    child.suspended();
    return true;
  }
  T await_resume() {
    promise_type& child = frame_.promise();
    child.resumed();
    child.rethrow();
    if constexpr (!std::is_void_v<T>) {
      if (!child.value) detail::rule_broken("a task that has a value ends with co_return VALUE");
      return std::move(*child.value);
    }
  }

 private:
  friend promise_type;
  friend class scope;
  void check_fresh() const noexcept {
    if (!frame_) detail::rule_broken("a task is not used after it was moved from");
    if (frame_.promise().was_awaited()) detail::rule_broken("a task is awaited once");
  }
  explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
task<T> detail::promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}
inline task<void> detail::promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

}  // namespace iolite

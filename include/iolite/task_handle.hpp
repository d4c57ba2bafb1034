// What scope::spawn() gives: a handle on one child of the scope.
//
//   iolite::task_handle<int> sum = children.spawn(add(1, 2));
//   if (!sum.done()) sum.cancel();      // this child alone
//   const int n = co_await sum;         // once it has ended
//
// A handle only refers to its child: dropping it changes nothing. The child runs on, and its scope
// waits for it. Keeping it is safe as well, also beyond the scope: the child has ended then. Only
// while a task awaits it, it stays: destroying it then stops the program.
//
// An exception of the child comes out of the co_await and, like that of every child, out of
// in_scope() or scope::join() too.
//
// Used where its scope may be used: on the thread of the engine; on a blocking engine, where
// children are threads, also by the siblings.
#pragma once
#include "iolite/core/awaitable.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

class scope;

namespace detail {

// What a scope and a handle share of one child. Exists until the child has ended and no handle is
// left. On a blocking engine the scope's lock guards it.
struct child_record : child_task, scope_state {
  explicit child_record(scope& s) noexcept;
  child_record(const child_record&) = delete;
  child_record& operator=(const child_record&) = delete;
  virtual ~child_record() = default;

  // What it has started on: of a thread, its own.
  engine* runs_on = nullptr;
  operation* waiter = nullptr;  // a task that awaits the handle
  std::exception_ptr thrown;
  std::atomic<bool> ended = false;
  bool held = false;  // by a handle
  bool awaited = false;  // from when a task begins to wait until it goes on
};

template <class T>
struct child_record_of final : child_record {
  using child_record::child_record;
  std::optional<T> value;
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;

// A child of `s` has ended with an error.
void child_failed(scope& s) noexcept;

// Puts what `t`, a child of `s`, gives where its handle finds it.
template <class T>
task<void> keep_value(task<T> t, std::optional<T>& out, scope& s) {
  const T& value = out.emplace(co_await t);
  if constexpr (is_result<T>) {
    if (!value) child_failed(s);
  }
}

void drop_handle(child_record& c) noexcept;
void cancel_child(child_record& c) noexcept;

// Waits for the end of a child. Cancelled, it cancels the child and waits on.
class child_wait : public awaitable_operation, private event_source {
 public:
  explicit child_wait(child_record& c) noexcept : child_(c) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin_wait(h, h.promise().ctx());
  }

 protected:
  // Rethrows what the child has thrown.
  void end_wait();
  child_record& child_;

 private:
  bool begin_wait(std::coroutine_handle<> h, context c) noexcept;
  bool forget(operation& op) noexcept override;

  child_task* awaiting_ = nullptr;
  bool has_waited_ = false;
};

}  // namespace detail

template <class T = void>
class task_handle {
 public:
  using value_type = T;

  task_handle(task_handle&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  task_handle& operator=(task_handle&& other) noexcept {
    task_handle(std::move(other)).swap(*this);
    return *this;
  }
  ~task_handle() {
    if (child_) detail::drop_handle(*child_);
  }

  // Whether it has ended, in whatever way.
  [[nodiscard]] bool done() const noexcept { return its().ended.load(std::memory_order_acquire); }
  // As scope::cancel(), for this child alone: its operations end early, with
  // std::errc::operation_canceled or what they had done by then. Idempotent; harmless once it has
  // ended.
  void cancel() noexcept { detail::cancel_child(its()); }

  // Waits for the child and takes its value.
  class awaiter : public detail::child_wait {
   public:
    using child_wait::child_wait;
    T await_resume() {
      end_wait();
      if constexpr (!std::is_void_v<T>) {
        auto& value = static_cast<detail::child_record_of<T>&>(child_).value;
        if (!value) detail::rule_broken("the value of a child is taken once");
        T out = std::move(*value);
        value.reset();
        return out;
      }
    }
  };
  // co_await: returns once the child has ended, and gives its value, which is there to be taken
  // once. One task at a time. Cancelling the task that waits here cancels the child, and the task
  // waits on until that has ended.
  [[nodiscard]] awaiter operator co_await() const noexcept { return awaiter(its()); }

 private:
  friend class scope;
  void swap(task_handle& other) noexcept { std::swap(child_, other.child_); }
  explicit task_handle(detail::child_record& c) noexcept : child_(&c) {}
  [[nodiscard]] detail::child_record& its() const noexcept {
    if (!child_) detail::rule_broken("a handle is not used after it was moved from");
    return *child_;
  }

  detail::child_record* child_;
};

}  // namespace iolite

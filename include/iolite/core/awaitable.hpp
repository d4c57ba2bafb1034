// What a coroutine can await besides another task, and how the library knows who waits.
#pragma once
#include "iolite/core/frame_memory.hpp"
#include "iolite/core/operation.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace iolite {

class scope;
struct child_task;

// What a coroutine inherits from the one that awaits it.
struct context {
  engine* on = nullptr;
  child_task* in = nullptr;  // which of its scope's children they are both part of
};

namespace detail {

// What may cancel a task: the scope that has started it and, inside of that, whatever bounds the
// task or the part of it that runs now. A task knows the innermost one.
struct scope_state {
  engine* on;
  scope_state* outer = nullptr;  // null: the scope itself
  bool cancel_asked = false;
  bool shields = false;  // what is asked of the outer ones does not reach the task
  bool has_cut = false;  // an operation has ended with operation_canceled because of it
  std::uint8_t unwaited = 0;  // tasks that were awaited and ended without waiting; wraps around
};

}  // namespace detail

// A task that a scope has started on its own thread, with all that this one awaits: it waits in one
// operation at a time. So one is kept here, for its streams: an await has none in the frame.
struct child_task {
  detail::scope_state* of;
  child_task* next = nullptr;  // of the scope's
  child_task* prev = nullptr;
  operation own;  // idle: its `next` is the operation in a frame that the task waits in, or null

  explicit child_task(scope& s) noexcept;
  [[nodiscard]] operation* waits_in() noexcept {
    return own.state != op_state::idle ? &own : own.next;
  }
  [[nodiscard]] const operation* waits_in() const noexcept {
    return own.state != op_state::idle ? &own : own.next;
  }
  // Waits in `op`, which may be its own, until leave().
  void enter(operation& op) noexcept;
  void leave() noexcept {
    if (of->cancel_asked) note_end(*waits_in());
    own.state = op_state::idle;
    own.next = nullptr;
  }
  // A cancel was asked of `by`, which is one of those that bound it, and is to reach its operation
  // unless it is shielded.
  void cancel_by(const detail::scope_state& by) noexcept;
  // `ended`, while a cancel is asked for. And the same, if that is why.
  void note_end(const operation& ended) noexcept;
  void note_cut() noexcept;
  static void* operator new(std::size_t bytes) { return detail::take_frame(bytes); }
  static void operator delete(void* p, std::size_t n) noexcept { detail::give_frame(p, n); }
};

namespace detail {

// `h`, of the task `t`, goes on in the engine's next turn.
void give_way(std::coroutine_handle<> h, child_task& t) noexcept;

}  // namespace detail

// An operation that can be awaited: the base of what recv(), sleep() and the others return. Derived
// classes add await_resume(), which turns `outcome` into what the caller gets.
class awaitable_operation : public operation {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx());
  }

 protected:
  // Joins the scope and starts; true: suspend, the engine resumes `h`.
  bool begin(std::coroutine_handle<> h, const context& c) noexcept;
  // The same for what has nothing to wait for: it ends with `result`.
  bool begin_over(std::coroutine_handle<> h, const context& c, int result = 0) noexcept;
  // After begin(): whether it waits. If not, it is over, though its coroutine may be suspended.
  [[nodiscard]] bool waits() const noexcept { return state == op_state::pending; }
  // Leaves the scope; gives `outcome`.
  int end() noexcept;

 private:
  child_task* in_ = nullptr;  // from begin() to end(): the task, as its scope knows it
};

// co_await here() gives the context: the engine and the scope the coroutine runs in.
struct here {
  context c;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    c = h.promise().ctx();
    return false;
  }
  [[nodiscard]] context await_resume() const noexcept { return c; }
};

}  // namespace iolite

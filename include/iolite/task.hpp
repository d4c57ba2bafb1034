// task<T>: a coroutine that is started by who awaits it and gives one T, or throws.
//
//   iolite::task<int> answer() { co_return 42; }
//   iolite::task<> outer() { int n = co_await answer(); }
//
// Lazy: nothing runs before the co_await (or scope::spawn, or engine::run). A task belongs to one
// awaiter and is destroyed with its frame. Frames come from a free list of the thread: no malloc
// once warm. The engine and the scope a task runs in are inherited from who awaits it.
//
// A lambda with captures that is a coroutine keeps its captures in the lambda, not in the frame:
// pass what it needs as parameters.
#pragma once
#include "iolite/frame_memory.hpp"
#include "iolite/operation.hpp"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

template <class T = void>
class task;

// What a coroutine inherits from the one that awaits it.
struct context {
  engine* on = nullptr;
  child_task* in = nullptr;  // which of its scope's children they are both part of
};

namespace detail {

// A task that a scope has started, and nobody awaits, is over: its frame ends too.
void end_child(std::coroutine_handle<> frame, context c, std::exception_ptr thrown) noexcept;
// Says which rule of the library the program has broken, and stops it.
[[noreturn]] void rule_broken(const char* rule) noexcept;

struct promise_base {
  context ctx;
  std::coroutine_handle<> continuation;  // its awaiter; none: a scope has started it
  std::exception_ptr thrown;
  bool starting = false;  // its awaiter is inside await_suspend

  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { give_frame(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) noexcept {
      // Ended before it ever suspended: its awaiter sees done() and goes on by itself.
      promise_base& p = h.promise();
      if (p.starting) return std::noop_coroutine();
      if (p.continuation) return p.continuation;
      end_child(h, p.ctx, std::move(p.thrown));
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  final_awaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { thrown = std::current_exception(); }
};

template <class T>
struct promise : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U>
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
    promise_type& child = frame_.promise();
    child.ctx = parent.promise().ctx;
    child.continuation = parent;
    child.starting = true;
    frame_.resume();
    if (frame_.done()) return false;
    child.starting = false;
    return true;
  }
  T await_resume() {
    promise_type& child = frame_.promise();
    if (child.thrown) std::rethrow_exception(std::exchange(child.thrown, nullptr));
    // NOLINTNEXTLINE(bugprone-unchecked-optional-access): it has ended without throwing
    if constexpr (!std::is_void_v<T>) return std::move(*child.value);
  }

 private:
  friend promise_type;
  friend class scope;
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

// An operation that can be awaited: the base of what recv(), sleep() and the others return. Derived
// classes add await_resume(), which turns `outcome` into what the caller gets.
class awaitable_operation : public operation {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx);
  }

 protected:
  // Joins the scope and starts; true: suspend, the engine resumes `h`.
  bool begin(std::coroutine_handle<> h, const context& c) noexcept;
  // Leaves the scope; gives `outcome`.
  int end() noexcept;
};

// co_await here() gives the context: the engine and the scope the coroutine runs in.
struct here {
  context c;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    c = h.promise().ctx;
    return false;
  }
  [[nodiscard]] context await_resume() const noexcept { return c; }
};

}  // namespace iolite

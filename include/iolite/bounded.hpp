// What `x | within(5s)` gives, to be awaited: see limit.hpp.
#pragma once
#include "iolite/core/awaitable.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"
#include "iolite/task_handle.hpp"

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace iolite {

// A length of time, counted from when the bounded work is awaited.
struct within {
  clock::duration limit;
};
// A point in time.
struct until {
  clock::time_point limit;
};

namespace detail {

// What bounds a wait: whichever comes first.
struct bound {
  clock::duration length = clock::duration::max();
  clock::time_point end = never;

  // NOLINTBEGIN(google-explicit-constructor): what stands behind a |
  constexpr bound(within w) noexcept : length(w.limit) {}
  constexpr bound(until u) noexcept : end(u.limit) {}
  // NOLINTEND(google-explicit-constructor)
  [[nodiscard]] constexpr bound and_also(bound other) const noexcept {
    bound both = other;
    both.length = std::min(length, other.length);
    both.end = std::min(end, other.end);
    return both;
  }
  // On the clock of the engine.
  [[nodiscard]] clock::time_point from_now(const context& c) const noexcept;
};

template <class Awaited>
concept has_deadline =
    std::is_same_v<decltype(std::remove_reference_t<Awaited>::deadline), clock::time_point>;

// Sets the deadline when the wait begins, unless the operation has an earlier one, and takes it
// back when it ends. It refers to the operation, so it is awaited where it is made: kept in a
// variable it does not compile.
template <class Operation>
class bounded {
 public:
  bounded(Operation& op, bound limit) noexcept : op_(op), limit_(limit) {}

  struct awaiter {
    Operation& op;
    bound limit;
    clock::time_point before = never;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) {
      before = op.deadline;
      op.deadline = std::min(before, limit.from_now(h.promise().ctx()));
      return op.await_suspend(h);
    }
    decltype(auto) await_resume() {
      op.deadline = before;
      return op.await_resume();
    }
  };
  [[nodiscard]] awaiter operator co_await() && noexcept { return {op_, limit_}; }
  [[nodiscard]] bounded also_by(bound other) && noexcept { return {op_, limit_.and_also(other)}; }

 private:
  Operation& op_;
  bound limit_;
};

// Bounds what a task does from enter() to leave(): one more of what may cancel it. On every engine
// its timer is an operation that nobody waits in; when its deadline has passed, the engine asks it
// to be forgotten.
class limit : public scope_state, private event_source {
 public:
  limit(const limit&) = delete;
  limit& operator=(const limit&) = delete;

 protected:
  explicit limit(bool shield) noexcept;
  ~limit() = default;
  void enter(const context& c, clock::time_point until) noexcept;
  void leave() noexcept;
  [[nodiscard]] bool passed() const noexcept { return timer_.timed_out; }

 private:
  bool forget(operation& timer) noexcept override;

  child_task* task_ = nullptr;
  operation timer_;
};

template <class T>
using bounded_result = std::conditional_t<is_result<T>, T, result<T>>;

// What is awaited in the place of bounded work.
template <class T>
task<T>& awaiter_of(task<T>& t) noexcept {
  return t;
}
template <class T>
typename task_handle<T>::awaiter awaiter_of(task_handle<T>& h) noexcept {
  return h.operator co_await();
}
template <class Work>
concept can_be_cut = requires(std::remove_cvref_t<Work>& w) { awaiter_of(w); };

// `Work`: a task or a handle, kept, or a reference to one.
template <class Work>
class [[nodiscard]] bounded_work : private limit {
 public:
  using value_type = typename std::remove_reference_t<Work>::value_type;

  bounded_work(Work&& work, bound b, bool shield = false) noexcept
      : limit(shield), work_(std::forward<Work>(work)), bound_(b), awaited_(awaiter_of(work_)) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    const context c = h.promise().ctx();
    enter(c, bound_.from_now(c));
    return awaited_.await_suspend(h);
  }
  bounded_result<value_type> await_resume() {
    const left_at_the_end leaving{*this};
    if constexpr (std::is_void_v<value_type>) {
      awaited_.await_resume();
      if (was_late()) return failure(-ETIMEDOUT);
      return {};
    } else {
      bounded_result<value_type> value = awaited_.await_resume();
      const bool failed = is_result<value_type> ? !value : true;
      if (failed && was_late()) return failure(-ETIMEDOUT);
      return value;
    }
  }
  [[nodiscard]] bounded_work also_by(bound other) && noexcept {
    return {std::forward<Work>(work_), bound_.and_also(other), shields};
  }

 private:
  struct left_at_the_end {
    bounded_work& it;
    ~left_at_the_end() { it.leave(); }
  };
  // The limit has cut something short.
  [[nodiscard]] bool was_late() const noexcept { return passed() && has_cut; }

  Work work_;
  bound bound_;
  decltype(awaiter_of(std::declval<std::remove_reference_t<Work>&>())) awaited_;
};

template <class T>
inline constexpr bool is_bounded = false;
template <class Operation>
inline constexpr bool is_bounded<bounded<Operation>> = true;
template <class Work>
inline constexpr bool is_bounded<bounded_work<Work>> = true;

template <class T>
concept boundable = has_deadline<T> || can_be_cut<T> || is_bounded<std::remove_cvref_t<T>>;

}  // namespace detail
}  // namespace iolite

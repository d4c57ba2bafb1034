// Runs a blocking call on a helper thread, so that the event loop goes on:
//
//   auto size = co_await iolite::offload([&] { return std::filesystem::file_size(path); });
//
// The helpers are few (offload_threads_max), started when needed and shared by the process; calls
// beyond that wait in line. Files use them too: many long calls are better made on threads of their
// own, see worker_pool.hpp. A call that hangs (a dead disk) holds its helper: where the line does
// not move for 100 ms, those at work count as hanging and others are started in their place, up to
// offload_threads_limit in all. On a blocking engine the call runs where it stands.
//
// A call may use what the awaiting task has, so that waits until the call is over, also when it is
// cancelled. file::open() is an exception: it ends at once, and what it still opens is closed.
//
// Where no helper can be started at all (RLIMIT_NPROC) the result is the error of
// pthread_create(3), std::errc::resource_unavailable_try_again, and f was not called.
#pragma once
#include "iolite/event.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

inline constexpr unsigned offload_threads_max = 8;
inline constexpr unsigned offload_threads_limit = 64;

namespace detail {

class helper_pool;

// A call that owns all it uses, also the kernel: the waiting task may leave while a helper makes
// it. Then the helper destroys it.
class owned_call {
 public:
  owned_call() = default;
  owned_call(const owned_call&) = delete;
  owned_call& operator=(const owned_call&) = delete;
  virtual ~owned_call() = default;
  virtual void call() noexcept = 0;
  bool left = false;  // the pool's
};

// A call in line for a helper, where it can be cancelled. Once it runs, it can be left behind if it
// is an owned one; nothing can interrupt it.
class offload_operation : public awaitable_operation {
 public:
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    return hand_over(h, h.promise().ctx());
  }
  virtual void call() noexcept = 0;
  [[nodiscard]] owned_call* owned() const noexcept { return owned_.get(); }
  // To the helper that makes it.
  void leave() noexcept { owned_.release()->left = true; }

 protected:
  offload_operation() = default;
  // `pool` null: that of the process.
  explicit offload_operation(helper_pool* pool) noexcept : pool_(pool) {}
  explicit offload_operation(std::unique_ptr<owned_call> owned) noexcept
      : owned_(std::move(owned)) {}
  ~offload_operation() = default;
  bool hand_over(std::coroutine_handle<> h, const context& c);
  int take_back() noexcept;

 private:
  helper_pool* pool_ = nullptr;
  std::unique_ptr<owned_call> owned_;  // or null
};

// co_await: what the call has to say is in it then; an error when it was cancelled.
class offloaded_owned final : public offload_operation {
 public:
  explicit offloaded_owned(std::unique_ptr<owned_call> c) noexcept
      : offload_operation(std::move(c)) {}
  void call() noexcept override { owned()->call(); }
  result<void> await_resume() noexcept;
};

template <class F>
class offloaded final : public offload_operation {
 public:
  using value = std::invoke_result_t<F&>;

  explicit offloaded(F f, helper_pool* pool = nullptr)
      : offload_operation(pool), f_(std::move(f)) {}

  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<value>) f_();
      else out_.emplace(f_());
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  // What f gave, or an error when it was not called; rethrows what f threw.
  result<value> await_resume() {
    const int r = take_back();
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    if (r < 0) return failure(r);
    if constexpr (std::is_void_v<value>) return {};
    // NOLINTNEXTLINE(bugprone-unchecked-optional-access): the call has returned
    else return std::move(*out_);
  }

 private:
  F f_;
  std::optional<std::conditional_t<std::is_void_v<value>, bool, value>> out_;
  std::exception_ptr thrown_;
};

}  // namespace detail

template <class F>
[[nodiscard]] detail::offloaded<F> offload(F f) {
  return detail::offloaded<F>(std::move(f));
}

}  // namespace iolite

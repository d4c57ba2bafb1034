// Runs a blocking call on a helper thread, so that the event loop goes on:
//
//   auto size = co_await iolite::offload([&] { return std::filesystem::file_size(path); });
//
// The helpers are few (offload_threads_max), started when needed and shared by the process; calls
// beyond that wait in line. On a blocking engine the call runs where it stands.
#pragma once
#include "iolite/event.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

inline constexpr unsigned offload_threads_max = 8;

namespace detail {

// A call in line for a helper. It cannot be interrupted once it runs; in line it can be cancelled.
class offload_operation : public awaitable_operation {
 public:
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    return hand_over(h, h.promise().ctx());
  }
  virtual void call() noexcept = 0;

 protected:
  ~offload_operation() = default;
  // Throws std::system_error when no helper can be started at all.
  bool hand_over(std::coroutine_handle<> h, const context& c);
  int take_back() noexcept;
};

template <class F>
class offloaded final : public offload_operation {
 public:
  using value = std::invoke_result_t<F&>;

  explicit offloaded(F f) : f_(std::move(f)) {}

  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<value>) f_();
      else out_.emplace(f_());
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  // What f gave, or an error when it was cancelled before it began; rethrows what f threw.
  result<value> await_resume() {
    const int r = take_back();
    if (thrown_) std::rethrow_exception(thrown_);
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

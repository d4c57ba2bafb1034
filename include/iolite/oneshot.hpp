// Carries one value from one task to another, on any engines and threads: the answer to a request.
//
//   iolite::oneshot<std::string> answer;
//   answer.send("42");                            // any thread, never waits
//   auto text = co_await (answer.receive() | iolite::within(5s));   // result<std::string>
//   answer.close();                               // nothing will come: errc::closed
//
// Any thread. A cancelled or timed-out receive() has taken nothing: the value is there for the next
// one. Destroying it while a task waits stops the program.
#pragma once
#include "iolite/event.hpp"

#include <mutex>
#include <optional>
#include <utility>

namespace iolite {

template <class T>
class oneshot {
 public:
  class receive_operation;

  oneshot() noexcept : waiting_(lock_) {}
  oneshot(const oneshot&) = delete;
  oneshot& operator=(const oneshot&) = delete;

  // False: a value was sent before, or it is closed.
  bool send(T value) {
    const std::lock_guard hold(lock_);
    if (over_) return false;
    value_.emplace(std::move(value));
    over_ = true;
    waiting_.wake_all();  // one of them receives it, for the others it is closed
    return true;
  }
  // No value will be sent. One that was is still received.
  void close() noexcept {
    const std::lock_guard hold(lock_);
    over_ = true;
    waiting_.wake_all();
  }

  // co_await: result<T>. errc::closed: it was closed without a value, or the value was received.
  [[nodiscard]] receive_operation receive() noexcept { return receive_operation(*this); }
  [[nodiscard]] std::optional<T> try_receive() {
    const std::lock_guard hold(lock_);
    return std::exchange(value_, std::nullopt);
  }

 private:
  mutable std::mutex lock_;
  bool over_ = false;  // nothing more is sent
  std::optional<T> value_;
  detail::wait_list waiting_;
};

// co_await: result<T>. oneshot::receive() makes it.
template <class T>
class oneshot<T>::receive_operation : public detail::listed_operation {
 public:
  explicit receive_operation(oneshot& from) noexcept : from_(from) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    const std::lock_guard hold(from_.lock_);
    const context c = h.promise().ctx();
    return from_.over_ ? begin_over(h, c) : begin_on(from_.waiting_, h, c);
  }
  result<T> await_resume() {
    if (const auto r = end_on(from_.waiting_); !r) return std::unexpected(r.error());
    auto value = from_.try_receive();
    if (!value) return std::unexpected(make_error_code(errc::closed));
    return std::move(*value);
  }

 private:
  oneshot& from_;
};

}  // namespace iolite

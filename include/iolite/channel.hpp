// A channel carries values between tasks, in order, on any engines and threads; it holds at most
// `capacity` of them, and then a sender waits: back-pressure.
//
//   iolite::channel<std::string> lines(16);
//   co_await lines.send("hello");                 // result<void>
//   auto line = co_await lines.receive();         // result<std::string>
//   lines.close();                                // what is inside is still received
//
// Any thread. A cancelled or timed-out send() has not sent, a cancelled receive() has taken
// nothing. Nor has one whose value throws while it is moved out of the channel; where it throws on
// its way to the caller, it is lost. Destroying a channel in which tasks wait stops the program.
#pragma once
#include "iolite/event.hpp"
#include "iolite/offered.hpp"

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

namespace iolite {

template <class T>
class channel {
 public:
  // At least 1. All its memory is taken here.
  explicit channel(std::size_t capacity)
      : slots_(capacity > 0 ? capacity : 1), senders_(lock_), receivers_(lock_) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // errc::closed once close() was called.
  [[nodiscard]] task<result<void>> send(T value) {
    for (;;) {
      if (const auto error = try_put(value); error != std::errc::resource_unavailable_try_again) {
        if (error) co_return std::unexpected(error);
        co_return result<void>();
      }
      auto room = detail::condition_wait(
          senders_, [this]() noexcept { return closed_ || count_ < slots_.size(); });
      if (const auto r = co_await room; !r) co_return std::unexpected(r.error());
    }
  }

  // errc::closed once the channel is closed and empty.
  [[nodiscard]] task<result<T>> receive() {
    for (;;) {
      if (auto value = try_receive()) co_return std::move(*value);
      if (drained()) co_return std::unexpected(make_error_code(errc::closed));
      auto some =
          detail::condition_wait(receivers_, [this]() noexcept { return closed_ || count_ > 0; });
      if (const auto r = co_await some; !r) co_return std::unexpected(r.error());
    }
  }

  // Never waits.
  offered try_send(T value) {
    const std::error_code error = try_put(value);
    if (!error) return offered::taken;
    return error == errc::closed ? offered::closed : offered::full;
  }

  [[nodiscard]] std::optional<T> try_receive() {
    const std::lock_guard hold(lock_);
    if (count_ == 0) return std::nullopt;
    std::optional<T> value =
        moved_or_next(receivers_, [this] { return std::exchange(slots_[first_], std::nullopt); });
    first_ = (first_ + 1) % slots_.size();
    --count_;
    senders_.wake_one();
    return value;
  }

  void close() noexcept {
    const std::lock_guard hold(lock_);
    closed_ = true;
    senders_.wake_all();
    receivers_.wake_all();
  }
  [[nodiscard]] std::size_t size() const noexcept {
    const std::lock_guard hold(lock_);
    return count_;
  }

 private:
  // Moves from `value` only on success.
  std::error_code try_put(T& value) {
    const std::lock_guard hold(lock_);
    if (closed_) return make_error_code(errc::closed);
    if (count_ == slots_.size())
      return std::make_error_code(std::errc::resource_unavailable_try_again);
    moved_or_next(senders_, [&]() -> decltype(auto) {
      return slots_[(first_ + count_) % slots_.size()].emplace(std::move(value));
    });
    ++count_;
    receivers_.wake_one();
    return {};
  }
  // A value that throws when it is moved leaves the room, or itself, to the next of `waiting`: the
  // one who was woken for it ends here.
  template <class Move>
  static decltype(auto) moved_or_next(detail::wait_list& waiting, Move move) {
    try {
      return move();
    } catch (...) {
      waiting.wake_one();
      throw;
    }
  }
  [[nodiscard]] bool drained() const noexcept {
    const std::lock_guard hold(lock_);
    return closed_ && count_ == 0;
  }

  mutable std::mutex lock_;
  std::vector<std::optional<T>> slots_;  // a ring
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  bool closed_ = false;
  detail::wait_list senders_;
  detail::wait_list receivers_;
};

}  // namespace iolite

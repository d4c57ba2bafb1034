// An outbox takes messages for one connection from any task and sends them in order: what a
// broadcast needs for each of its members.
//
//   iolite::outbox mail(64, 1 << 20);              // at most 64 messages wait, and 1 MiB
//   children.spawn(sender(mail, peer));            // co_await mail.deliver_to(peer);
//   if (!mail.try_send(m)) ...                     // full: this peer reads too slowly
//
// The policy for a slow peer is the program's: drop the message (try_send() says `full`), wait for
// room (send()), or end the connection: when the outbox is full, or by deliver_to()'s limit.
//
// It is a channel whose receiving end is a stream. While nothing waits, try_send() on the engine of
// deliver_to() starts the transfer itself. Where deliver_to() holds a thread, on a blocking engine,
// try_send() makes the call on any: what the socket takes at once wakes no task, and has left the
// outbox when try_send() returns. Messages that come while one is on its way are sent together, by
// one call, and never copied. An outbox that is empty holds no memory but its own.
//
// Any thread, but for deliver_to(). It outlives deliver_to() and all who send.
#pragma once
#include "iolite/event.hpp"
#include "iolite/message.hpp"
#include "iolite/offered.hpp"
#include "iolite/stream.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace iolite {

class outbox;

namespace detail {

// Waits until an outbox has something, then sends a batch of it; again and again.
class delivery : public awaitable_operation {
 public:
  delivery(outbox& from, stream& to, clock::duration limit) noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin_batch(h, h.promise().ctx());
  }
  int await_resume() noexcept;  // < 0: -errno

 private:
  friend class iolite::outbox;
  bool begin_batch(std::coroutine_handle<> h, const context& c) noexcept;
  void become_wait() noexcept;
  bool become_send(op_payload from, std::size_t bytes, engine& e) noexcept;
  bool become_send_of(piece from, engine& e) noexcept;
  void start_sending(const message& m) noexcept;
  void send_on_this_thread(const message& m) noexcept;
  // Whether `to_` was closed while it waited or sent: then it may be gone.
  [[nodiscard]] bool lost_stream() const noexcept {
    return kind == op_kind::event ? !on : !through;
  }

  outbox& from_;
  stream& to_;
  engine* on_ = nullptr;  // since it first waited
  bool blocking_ = false;  // `on_` is
  const clock::duration limit_;
  message alone_;  // on its way, and not on the list
  std::size_t alone_sent_ = 0;  // bytes of it that were sent before it became this one's to send
};

}  // namespace detail

class outbox final : private event_source, private piece_source {
 public:
  // How many messages it holds, at least 1, and how many bytes they have in all; those on their way
  // included. A message that is longer than that is taken while there is no other.
  explicit outbox(std::uint32_t capacity, std::size_t bytes_max = SIZE_MAX) noexcept;
  outbox(const outbox&) = delete;
  outbox& operator=(const outbox&) = delete;
  ~outbox();

  // Never waits. Throws std::bad_alloc, having done nothing, without memory for a place in the
  // queue. That it was taken is no promise that the peer gets it.
  offered try_send(const message& m);
  // Waits while it is full. errc::closed once close() was called or deliver_to() has ended.
  [[nodiscard]] task<result<void>> send(message m);
  // What is inside is still sent, then deliver_to() ends.
  void close() noexcept;
  [[nodiscard]] bool closed() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;  // messages, those on their way included
  [[nodiscard]] std::size_t bytes() const noexcept;  // of them

  // Sends what comes until the outbox is closed and empty, or something fails; what is left then is
  // dropped, and the outbox is closed. The one who sends on `to` meanwhile; one task at a time.
  // std::errc::timed_out: the peer did not take a batch within `limit` (zero: what
  // stream::set_idle_timeout() says); operation_canceled: it was cancelled, or `to` closed.
  [[nodiscard]] task<result<void>> deliver_to(stream& to,
                                              clock::duration limit = clock::duration::zero());

  // try_send() to all of them, in their order, but to `except`; calls full(outbox&) for each that
  // did not take it. For thousands: their memory, long out of the caches, is asked for ahead.
  template <std::invocable<outbox&> Full>
  static void send_to_all(std::span<outbox* const> all, const message& m, Full full,
                          const outbox* except = nullptr) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i + 1 < all.size()) all[i + 1]->expect();
      if (all[i] != except && !all[i]->try_send(m)) full(*all[i]);
    }
  }

 private:
  friend class detail::delivery;
  // Asks for the memory that try_send() will touch: it is all in here.
  void expect() const noexcept {
    const auto* const begin = reinterpret_cast<const std::byte*>(this);
    for (std::size_t at = 0; at < sizeof(outbox); at += 64) __builtin_prefetch(begin + at, 1);
  }
  // A place in the queue.
  struct place {
    message what;
    place* next = nullptr;
    static void* operator new(std::size_t bytes) { return detail::take_frame(bytes); }
    static void operator delete(void* p, std::size_t n) noexcept { detail::give_frame(p, n); }
  };

  bool forget(operation& op) noexcept override;
  void wake_delivery() noexcept;
  [[nodiscard]] bool fits(const message& m) const noexcept;
  void take(const message& m) noexcept;
  [[nodiscard]] place* new_place(const message& m);
  void pass_on_room() noexcept;
  void rest(detail::delivery& d, const message* out) noexcept;
  void give_back(detail::delivery& d, int result) noexcept;
  void make_room(std::uint32_t messages, std::size_t bytes) noexcept;
  std::size_t pieces_after(std::size_t moved, std::span<piece> into) noexcept override;
  [[nodiscard]] std::size_t take_batch() noexcept;
  void batch_is_out(const message& alone) noexcept;
  void drop_first() noexcept;
  [[nodiscard]] bool over() const noexcept;
  void shut() noexcept;

  mutable std::mutex lock_;
  detail::delivery* idle_ = nullptr;  // the delivery, while it waits for something to send
  bool lent_ = false;  // the delivery, which waits, to a try_send() on another thread
  bool cancelled_ = false;  // meanwhile
  std::uint32_t count_ = 0;
  const std::uint32_t capacity_;
  std::size_t bytes_ = 0;
  const std::size_t bytes_max_;
  place* first_ = nullptr;
  place* last_ = nullptr;
  std::uint32_t batch_ = 0;  // on their way, of the first; engine thread of the delivery
  bool closed_ = false;
  std::optional<detail::delivery> delivery_;  // while deliver_to() lasts
  detail::wait_list senders_;
};

}  // namespace iolite

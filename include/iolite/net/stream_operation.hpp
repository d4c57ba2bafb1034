// The awaitables that the operations of a stream return: see stream.hpp.
#pragma once
#include "iolite/core/awaitable.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/net/temporaries.hpp"
#include "iolite/result.hpp"

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace iolite {

class stream;

namespace detail {

// A request to a stream.
struct stream_wish {
  op_kind kind;
  op_payload payload;
  std::size_t size;  // bytes
  bool picks_buffer = false;
  bool gathers = false;
};

// The request, in the frame of the coroutine that awaits it. The operation itself lives in the
// record of the task, which waits for one at a time, so a frame with many awaits stays small.
class stream_operation {
 public:
  clock::time_point deadline = never;

  stream_operation(const stream_operation&) = delete;
  stream_operation& operator=(const stream_operation&) = delete;
  ~stream_operation() {
    if (is(waiting)) check_over();
  }
  // Requests an early end, like engine::cancel(). If no wait has begun it applies to the next one.
  void cancel() noexcept;
  [[nodiscard]] bool await_ready() const noexcept { return false; }

 protected:
  // `whole`: complete only once all bytes have moved.
  explicit stream_operation(stream& s, bool whole = false) noexcept
      : at_(reinterpret_cast<std::uintptr_t>(&s) | (whole ? all : 0)) {}
  // True: suspend; the engine resumes `h` later.
  bool begin(std::coroutine_handle<> h, const context& c, const stream_wish& w) noexcept;
  // The task, whose `own` holds the outcome until the task awaits something else.
  const child_task& end() noexcept;

 private:
  // Flags in the low bits of the address.
  static constexpr std::uintptr_t waiting = 1;
  static constexpr std::uintptr_t cancelled = 2;
  static constexpr std::uintptr_t all = 4;
  static constexpr std::uintptr_t flags = 7;
  [[nodiscard]] bool is(std::uintptr_t flag) const noexcept { return (at_ & flag) != 0; }
  template <class T>
  [[nodiscard]] T* at() const noexcept {
    return reinterpret_cast<T*>(at_ & ~flags);
  }
  void check_over() const noexcept;

  std::uintptr_t at_;  // the stream; while it waits, the child_task
};

}  // namespace detail

// co_await: result<size_t>, the bytes received; 0 is the end of the stream. stream::recv().
class recv_operation : public detail::stream_operation {
 public:
  explicit recv_operation(stream& s, std::span<std::byte> into) noexcept
      : stream_operation(s), into_(into) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::recv, into_.data(), into_.size()});
  }
  result<std::size_t> await_resume() noexcept;

 private:
  std::span<std::byte> into_;
};

// co_await: result<void>. stream::recv_all().
class recv_all_operation : public detail::stream_operation {
 public:
  explicit recv_all_operation(stream& s, std::span<std::byte> into) noexcept
      : stream_operation(s, true), into_(into) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::recv, into_.data(), into_.size()});
  }
  // After an error the first `moved` bytes of the buffer are valid.
  result<void> await_resume() noexcept;
  std::size_t moved = 0;

 private:
  std::span<std::byte> into_;
};

// co_await: result<lease>, empty at the end of the stream. stream::recv_lease().
class recv_lease_operation : public detail::stream_operation {
 public:
  explicit recv_lease_operation(stream& s) noexcept : stream_operation(s) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::recv, {}, buffer_pool::buffer_bytes, true});
  }
  result<lease> await_resume() noexcept;
};
static_assert(sizeof(recv_lease_operation) <= 16);

// co_await: result<size_t>, the bytes sent. stream::send_all() and stream::send_some().
class send_operation : public detail::stream_operation {
 public:
  explicit send_operation(stream& s, std::span<const std::byte> from, bool whole) noexcept
      : stream_operation(s, whole), from_(from) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(),
                 {op_kind::send, const_cast<std::byte*>(from_.data()), from_.size()});
  }
  result<std::size_t> await_resume() noexcept;
  // After an error the first `moved` bytes have been sent. Awaited again it sends all of them.
  std::size_t moved = 0;

 private:
  std::span<const std::byte> from_;
};
static_assert(sizeof(send_operation) <= 40);

// co_await: result<size_t>, the bytes sent of all pieces. stream::send_all().
class send_pieces_operation : public detail::stream_operation, private piece_source {
 public:
  send_pieces_operation(stream& s, std::span<const piece> pieces) noexcept
      : stream_operation(s, true), all_pieces_(pieces) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(),
                 {op_kind::send, static_cast<piece_source*>(this), bytes(), false, true});
  }
  // After an error the first `moved` bytes of all pieces have been sent.
  result<std::size_t> await_resume() noexcept;
  std::size_t moved = 0;

 private:
  [[nodiscard]] std::size_t bytes() const noexcept;
  std::size_t pieces_after(std::size_t sent, std::span<piece> into) noexcept override;
  std::span<const piece> all_pieces_;
  std::size_t first_ = 0, before_ = 0;  // the first not out whole; bytes before it
};

// A send_operation that keeps the temporary whose bytes it sends.
template <class Bytes>
class kept_send_operation final : private detail::kept<Bytes>, public send_operation {
 public:
  kept_send_operation(stream& s, Bytes&& from)
      : detail::kept<Bytes>{std::move(from)},
        send_operation(s, detail::bytes_in(this->value), true) {}
};

// A send_pieces_operation that keeps the list of pieces. Their bytes stay the caller's.
template <class Pieces>
class kept_pieces_operation final : private detail::kept<Pieces>, public send_pieces_operation {
 public:
  kept_pieces_operation(stream& s, Pieces&& from)
      : detail::kept<Pieces>{std::move(from)}, send_pieces_operation(s, this->value) {}
};

}  // namespace iolite

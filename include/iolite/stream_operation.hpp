// What recv(), send_all() and the others of a stream give, to be awaited: see stream.hpp.
#pragma once
#include "iolite/awaitable.hpp"
#include "iolite/buffer.hpp"
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

// What is asked of a stream.
struct stream_wish {
  op_kind kind;
  std::byte* data;
  std::size_t size;  // bytes
  bool picks_buffer = false;
  bool gathers = false;
};

// What is asked, in the frame of who asks. The operation itself is in the record of the task, which
// waits in one at a time: a frame with many awaits stays small.
class stream_operation {
 public:
  clock::time_point deadline = never;

  stream_operation(const stream_operation&) = delete;
  stream_operation& operator=(const stream_operation&) = delete;
  ~stream_operation() {
    if (is(waiting)) check_over();
  }
  // As engine::cancel(): asks for an early end, of the next wait where none has begun.
  void cancel() noexcept;
  [[nodiscard]] bool await_ready() const noexcept { return false; }

 protected:
  // `whole`: complete only once all bytes have moved.
  explicit stream_operation(stream& s, bool whole = false) noexcept
      : at_(reinterpret_cast<std::uintptr_t>(&s) | (whole ? all : 0)) {}
  // True: suspend, the engine resumes `h`.
  bool begin(std::coroutine_handle<> h, const context& c, const stream_wish& w) noexcept;
  // The task, whose `own` says how it ended until something else is awaited.
  const child_task& end() noexcept;

 private:
  // Kept below the address.
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

// A temporary that owns its elements and takes them with it when it is moved.
template <class T>
concept owning =
    std::is_class_v<T> && !std::is_const_v<T> && !std::ranges::enable_borrowed_range<T>;
template <class T>
concept owning_text = owning<T> && std::convertible_to<T&, std::string_view>;
template <class T>
concept owning_bytes =
    owning_text<T> || (owning<T> && std::convertible_to<T&, std::span<const std::byte>>);
template <class T>
concept owning_pieces = owning<T> && std::convertible_to<T&, std::span<const piece>>;

template <owning_bytes T>
[[nodiscard]] std::span<const std::byte> bytes_in(T& kept) {
  if constexpr (owning_text<T>) return std::as_bytes(std::span(std::string_view(kept)));
  else return kept;
}

// Made before the operation that uses it.
template <class T>
struct kept {
  T value;
};

}  // namespace detail

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

class recv_all_operation : public detail::stream_operation {
 public:
  explicit recv_all_operation(stream& s, std::span<std::byte> into) noexcept
      : stream_operation(s, true), into_(into) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::recv, into_.data(), into_.size()});
  }
  // On an error the first `moved` bytes of the buffer have been received all the same.
  result<void> await_resume() noexcept;
  std::size_t moved = 0;

 private:
  std::span<std::byte> into_;
};

class recv_lease_operation : public detail::stream_operation {
 public:
  explicit recv_lease_operation(stream& s) noexcept : stream_operation(s) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::recv, nullptr, buffer_pool::buffer_bytes, true});
  }
  result<lease> await_resume() noexcept;
};
static_assert(sizeof(recv_lease_operation) <= 16);

class send_operation : public detail::stream_operation {
 public:
  explicit send_operation(stream& s, std::span<const std::byte> from, bool whole) noexcept
      : stream_operation(s, whole), moved(from.size()), from_(from.data()) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::send, const_cast<std::byte*>(from_), moved});
  }
  result<std::size_t> await_resume() noexcept;
  // Bytes to be sent; once it is over, those that were, also on an error.
  std::size_t moved;

 private:
  const std::byte* from_;
};
static_assert(sizeof(send_operation) <= 32);

class send_pieces_operation : public detail::stream_operation, private piece_source {
 public:
  send_pieces_operation(stream& s, std::span<const piece> pieces) noexcept
      : stream_operation(s, true), all_pieces_(pieces) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    auto* const source = reinterpret_cast<std::byte*>(static_cast<piece_source*>(this));
    return begin(h, h.promise().ctx(), {op_kind::send, source, bytes(), false, true});
  }
  // On an error the first `moved` bytes of all pieces have been sent all the same.
  result<std::size_t> await_resume() noexcept;
  std::size_t moved = 0;

 private:
  [[nodiscard]] std::size_t bytes() const noexcept;
  std::size_t pieces_after(std::size_t sent, std::span<piece> into) noexcept override;
  std::span<const piece> all_pieces_;
  std::size_t first_ = 0, before_ = 0;  // the first not out whole; bytes before it
};

// The same, of what they keep.
template <class Bytes>
class kept_send_operation final : private detail::kept<Bytes>, public send_operation {
 public:
  kept_send_operation(stream& s, Bytes&& from)
      : detail::kept<Bytes>{std::move(from)},
        send_operation(s, detail::bytes_in(this->value), true) {}
};
template <class Pieces>
class kept_pieces_operation final : private detail::kept<Pieces>, public send_pieces_operation {
 public:
  kept_pieces_operation(stream& s, Pieces&& from)
      : detail::kept<Pieces>{std::move(from)}, send_pieces_operation(s, this->value) {}
};

}  // namespace iolite

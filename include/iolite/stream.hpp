// One connection, TCP or unix: the same type, so that one handler serves both.
//
// A stream closes itself. At most one receive and one send may be pending on it at a time; a second
// one stops the program. It belongs to the engine its task runs on. Move it only while nothing is
// pending on it.
#pragma once
#include "iolite/buffer.hpp"
#include "iolite/endpoint.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace iolite {

class stream;

namespace detail {

struct stream_owner;

// Whose connections they are: serve() keeps count of them, and ends them.
struct stream_home {
  // The descriptor of one of them is about to be closed.
  virtual void closing(stream_owner& s) noexcept = 0;
  // What has arrived is still received, then the streams are at their end.
  [[nodiscard]] virtual bool ending() const noexcept = 0;

 protected:
  ~stream_home() = default;
};

// What is kept of one of them.
struct stream_owner {
  static constexpr std::uint32_t unlimited = ~std::uint32_t{0};

  stream_home& home;
  int fd;  // -1 once it is closed
  std::uint32_t receivable = unlimited;  // bytes, once it is ending
};

// What is asked of a stream.
struct stream_wish {
  op_kind kind;
  std::byte* data;
  std::size_t size;  // bytes
  bool picks_buffer = false;
};

// What recv(), send_all() and the others give: awaited, it is the operation of the task's record,
// so that little of it is in the frame. Of those that are pending at a time there is one a task.
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
      : stream_operation(s, whole), from_(from) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    auto* const data = const_cast<std::byte*>(from_.data());
    return begin(h, h.promise().ctx(), {op_kind::send, data, from_.size()});
  }
  result<std::size_t> await_resume() noexcept;

 private:
  std::span<const std::byte> from_;
};
static_assert(sizeof(send_operation) <= 32);

class stream {
 public:
  stream() noexcept = default;
  // Takes over a connected stream socket. `tcp`: a short receive means that no more is there for
  // now.
  stream(engine& on, int fd, bool tcp) noexcept : engine_(&on), fd_(fd), tcp_(tcp) {}
  stream(stream&& other) noexcept { take(other); }
  stream& operator=(stream&& other) noexcept {
    if (this != &other) {
      close();
      take(other);
    }
    return *this;
  }
  ~stream() { close(); }

  // A connection to `to`; not more than `limit` is spent on it. On a cancel no socket is left
  // behind.
  [[nodiscard]] static task<result<stream>> connect(endpoint to,
                                                    clock::duration limit = clock::duration::max());

  // At least one byte; 0 is the end of the stream (or an empty buffer). `into` must stay valid
  // until the co_await returns, also when it is cancelled.
  [[nodiscard]] recv_operation recv(std::span<std::byte> into) noexcept {
    return recv_operation(*this, into);
  }
  // The whole buffer, or an error: errc::end_of_stream if the peer ended first.
  [[nodiscard]] recv_all_operation recv_all(std::span<std::byte> into) noexcept {
    return recv_all_operation(*this, into);
  }
  // The engine lends the buffer, as late as it can: an idle connection holds none.
  [[nodiscard]] recv_lease_operation recv_lease() noexcept { return recv_lease_operation(*this); }
  // All of `from`, or an error; short writes are carried on by the engine. Gives from.size().
  // A peer that is gone: std::errc::broken_pipe or connection_reset; never SIGPIPE.
  [[nodiscard]] send_operation send_all(std::span<const std::byte> from) noexcept {
    return send_operation(*this, from, true);
  }
  [[nodiscard]] send_operation send_all(std::string_view text) noexcept {
    return send_all(std::as_bytes(std::span(text)));
  }
  // What the kernel takes at once: at least one byte.
  [[nodiscard]] send_operation send_some(std::span<const std::byte> from) noexcept {
    return send_operation(*this, from, false);
  }

  // No more will be sent: the peer receives the end of the stream. Receiving goes on.
  result<void> shutdown_write() noexcept;
  // Ends politely: no more is sent, what the peer still sends is read and dropped until it ends too
  // or `limit` has passed, then close(). A plain close() with unread input resets the connection,
  // and a reset may overtake the last answer.
  [[nodiscard]] task<void> finish(clock::duration limit);
  // At once. Pending operations end with std::errc::operation_canceled. Idempotent.
  void close() noexcept;
  // The descriptor, now the caller's to close; nothing may be pending.
  [[nodiscard]] int release() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool is_tcp() const noexcept { return tcp_; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }
  [[nodiscard]] engine* on() const noexcept { return engine_; }
  [[nodiscard]] endpoint local() const noexcept;
  [[nodiscard]] endpoint peer() const noexcept;

  // Each receive and send that has no deadline of its own gets this one, in whole milliseconds;
  // zero, or more than 49 days: none.
  void set_idle_timeout(clock::duration limit) noexcept;
  // TCP_NODELAY: small messages leave at once. Set by connect() and by listeners unless told not
  // to.
  result<void> set_nodelay(bool on) noexcept;
  // SO_KEEPALIVE with TCP_KEEPIDLE and TCP_KEEPINTVL (whole seconds): a silent peer is probed.
  result<void> set_keepalive(clock::duration idle, clock::duration interval) noexcept;
  // TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged. tcp(7).
  result<void> set_user_timeout(clock::duration limit) noexcept;
  // SO_SNDBUF, SO_RCVBUF in bytes; the kernel doubles them, and stops fitting them to the traffic.
  // A receive buffer smaller than a segment (64 KiB on loopback) makes TCP crawl. socket(7).
  result<void> set_buffers(std::size_t send_bytes, std::size_t recv_bytes) noexcept;
  void set_owner(detail::stream_owner* owner) noexcept { owner_ = owner; }

 private:
  friend class detail::stream_operation;
  void take(stream& other) noexcept;
  bool at_end_for(operation& receive) noexcept;
  [[nodiscard]] operation*& seat(op_kind kind) noexcept {
    return kind == op_kind::recv ? receiving_ : sending_;
  }
  void take_leave(operation& op) noexcept;
  void heed_reset(operation& op) noexcept;
  result<void> set_option(int level, int name, int value) noexcept;

  engine* engine_ = nullptr;
  operation* receiving_ = nullptr;  // pending, or null
  operation* sending_ = nullptr;
  detail::stream_owner* owner_ = nullptr;
  int fd_ = -1;
  std::uint32_t idle_ms_ = 0;
  bool tcp_ = false;
  // A send has met a reset, and the next receive is to tell it: the kernel tells it once only, and
  // then gives the end of a stream that was cut. The two may be on two threads: see scope.hpp.
  std::atomic<bool> cut_ = false;
};
static_assert(sizeof(stream) <= 48);

}  // namespace iolite

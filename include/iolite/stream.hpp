// One connection, TCP or unix: the same type, so that one handler serves both.
//
// A stream closes itself. At most one receive and one send may be pending on it at a time; a second
// one stops the program. It belongs to the engine its task runs on. Move it only while nothing is
// pending on it.
#pragma once
#include "iolite/endpoint.hpp"
#include "iolite/result.hpp"
#include "iolite/stream_operation.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace iolite {

namespace detail {

class delivery;  // of an outbox
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

}  // namespace detail

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
  // All pieces, in order, copied nowhere; they and their list stay until the co_await returns.
  [[nodiscard]] send_pieces_operation send_all(std::span<const piece> pieces) noexcept {
    return send_pieces_operation(*this, pieces);
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
  // The descriptor, an ordinary one and now the caller's to close; nothing may be pending. What was
  // not received yet stays with it. -EBUSY: some has left the kernel already (io_uring, see
  // engine_options::receiving): receive it, which does not wait, then try again. -EMFILE, with
  // direct descriptors. In both cases the stream stays as it is.
  [[nodiscard]] int release() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool is_tcp() const noexcept { return tcp_; }
  // What operations know it by: for system calls, see system_descriptor.hpp.
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
  friend class detail::delivery;
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

// One connection, TCP or unix: the same type, so that one handler serves both.
//
// A stream closes itself. At most one receive and one send may be pending on it at a time; a second
// one stops the program. Move it only while nothing is pending on it.
//
// A stream belongs to the engine its task runs on. While an event loop runs, only its thread may
// use, move, close or destroy its streams; any other one stops the program. On a blocking engine
// one thread may receive, another one send, and either may close it when the other is done:
// scope.hpp. A stream may outlive its task and its handler (see serve.hpp), but not its engine,
// whose destructor stops the program then.
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
#include <utility>

namespace iolite {

namespace detail {

class delivery;  // of an outbox
struct stream_owner;
struct stream_limits;

// Whose connections they are: serve() keeps count of them, and ends them.
struct stream_home {
  // The stream of `s` is closed: closes `fd`, by which `on` knows it. `s` may be gone afterwards.
  virtual void close(stream_owner& s, engine& on, int fd, bool tcp) noexcept = 0;
  // The descriptor belongs to somebody else from now on. `s` may be gone afterwards.
  virtual void released(stream_owner& s) noexcept = 0;
  // What has arrived is still received, then the streams are at their end.
  [[nodiscard]] virtual bool ending() const noexcept = 0;

 protected:
  ~stream_home() = default;
};

// What is kept of one of them.
struct stream_owner {
  stream_home* home;
  stream* of = nullptr;  // null: it is closed
};

}  // namespace detail

class stream {
 public:
  stream() noexcept = default;
  // Takes over a connected stream socket. `tcp`: a short receive means that no more is there for
  // now.
  stream(engine& on, int fd, bool tcp) noexcept;
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
  // From a temporary, a std::string for instance: the operation keeps it.
  template <detail::owning_bytes Bytes>
  [[nodiscard]] kept_send_operation<Bytes> send_all(Bytes&& from) {
    return kept_send_operation<Bytes>(*this, std::forward<Bytes>(from));
  }
  // All pieces, in order, copied nowhere; they and their list stay until the co_await returns.
  [[nodiscard]] send_pieces_operation send_all(std::span<const piece> pieces) noexcept {
    return send_pieces_operation(*this, pieces);
  }
  template <detail::owning_pieces Pieces>
  [[nodiscard]] kept_pieces_operation<Pieces> send_all(Pieces&& pieces) {
    return kept_pieces_operation<Pieces>(*this, std::forward<Pieces>(pieces));
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
  [[nodiscard]] bool is_tcp() const noexcept { return (more_.load(relaxed) & over_tcp) != 0; }
  // What operations know it by: for system calls, see system_descriptor.hpp.
  [[nodiscard]] int native_handle() const noexcept { return fd_; }
  [[nodiscard]] engine* on() const noexcept { return engine_; }
  [[nodiscard]] endpoint local() const noexcept;
  [[nodiscard]] endpoint peer() const noexcept;

  // A receive or send that has no deadline of its own ends with std::errc::timed_out when no byte
  // has moved for that long; whole milliseconds. Zero, or more than 49 days: none.
  void set_idle_timeout(clock::duration limit) noexcept;
  // How long the connection may last, from now on: afterwards every receive and send ends with
  // std::errc::timed_out, whatever its own deadline is. Zero or duration::max(): as long as it
  // likes. Throws std::bad_alloc; the stream is as before then.
  void set_connection_timeout(clock::duration limit);
  // Against peers that trickle: a transfer that has begun and has no deadline of its own ends with
  // std::errc::timed_out when the peer has moved less than ten times `bytes_per_second` in ten
  // seconds of waiting for it. What has begun: a send; and receiving, from the first byte after the
  // last send on. So a peer may be silent between two requests, but not within one. Zero: no such
  // limit. Throws std::bad_alloc; the stream is as before then.
  void set_rate_min(std::uint32_t bytes_per_second);
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
  void set_owner(detail::stream_owner* owner) noexcept;

 private:
  friend class engine;
  friend class detail::stream_operation;
  friend class detail::delivery;
  // Kept below the address of the limits.
  static constexpr std::uintptr_t over_tcp = 1;
  // A send has met a reset, and the next receive is to tell it: the kernel tells it once only, and
  // then gives the end of a stream that was cut. The two may be on two threads: see scope.hpp.
  static constexpr std::uintptr_t was_cut = 2;
  static constexpr std::uintptr_t at_end = 4;  // its home is ending, and nothing had arrived
  static constexpr std::uintptr_t flags = 7;
  static constexpr auto relaxed = std::memory_order_relaxed;

  void take(stream& other) noexcept;
  void check_thread() const noexcept;
  void forget() noexcept;
  bool at_end_for(operation& receive) noexcept;
  [[nodiscard]] operation*& seat(op_kind kind) noexcept {
    return kind == op_kind::recv ? receiving_ : sending_;
  }
  void take_leave(operation& op) noexcept;
  void heed_reset(operation& op) noexcept;
  // What of op.deadline the stream decides: as the operation begins, false if it is over already;
  // and when some of its bytes have moved.
  bool bound(operation& op, engine& on) noexcept;
  void moved_on(operation& op, clock::time_point now) noexcept;
  [[nodiscard]] detail::stream_limits* limits() const noexcept;
  detail::stream_limits& make_limits();
  bool limit_receiving(std::uint32_t bytes) noexcept;
  result<void> set_option(int level, int name, int value) noexcept;

  engine* engine_ = nullptr;
  operation* receiving_ = nullptr;  // pending, or null
  operation* sending_ = nullptr;
  detail::stream_owner* owner_ = nullptr;
  std::atomic<std::uintptr_t> more_ = 0;  // the limits, or null, and flags
  int fd_ = -1;
  std::uint32_t idle_ms_ = 0;
};
static_assert(sizeof(stream) <= 48);

}  // namespace iolite

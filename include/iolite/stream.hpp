// One connection, TCP or unix: the same type, so that one handler serves both.
//
// The destructor closes the stream. At most one receive and one send may be pending at a time; a
// second one stops the program. A stream may be moved only while nothing is pending on it.
//
// A stream belongs to the engine that its task runs on. While an event loop runs, only its thread
// may use, move, close or destroy its streams; use on another thread stops the program. On a
// blocking engine one thread may receive while another one sends, and either may close the stream
// when the other is done: scope.hpp. A stream may outlive its task and its handler (serve.hpp), but
// not its engine, whose destructor stops the program in that case.
#pragma once
#include "iolite/core/transfer_bounds.hpp"
#include "iolite/endpoint.hpp"
#include "iolite/net/stream_home.hpp"
#include "iolite/net/stream_operation.hpp"
#include "iolite/result.hpp"
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
}  // namespace detail

class stream : private detail::transfer_bounds {
 public:
  stream() noexcept = default;
  // Takes ownership of a connected stream socket. `tcp` says that a short receive means the socket
  // is empty for now.
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

  // Connects to `to` within `limit`. A cancel leaves no socket behind.
  [[nodiscard]] static task<result<stream>> connect(endpoint to,
                                                    clock::duration limit = clock::duration::max());

  // Receives at least one byte; 0 means the end of the stream (or an empty buffer). `into` must
  // stay valid until the co_await returns, also after a cancel.
  [[nodiscard]] recv_operation recv(std::span<std::byte> into) noexcept {
    return recv_operation(*this, into);
  }
  // Fills the whole buffer, or gives an error: errc::end_of_stream if the peer ends first.
  [[nodiscard]] recv_all_operation recv_all(std::span<std::byte> into) noexcept {
    return recv_all_operation(*this, into);
  }
  // The same into the characters of a std::string or an array, as many as it has.
  template <detail::text_buffer Text>
  [[nodiscard]] recv_operation recv(Text&& into) noexcept {
    return recv(std::as_writable_bytes(std::span<char>(into)));
  }
  template <detail::text_buffer Text>
  [[nodiscard]] recv_all_operation recv_all(Text&& into) noexcept {
    return recv_all(std::as_writable_bytes(std::span<char>(into)));
  }
  // Receives into a buffer that the engine lends once data is there: an idle connection holds none.
  [[nodiscard]] recv_lease_operation recv_lease() noexcept { return recv_lease_operation(*this); }
  // Sends all of `from` and gives from.size(), or an error; the engine continues short writes. A
  // peer that is gone is std::errc::broken_pipe or connection_reset, never SIGPIPE.
  [[nodiscard]] send_operation send_all(std::span<const std::byte> from) noexcept {
    return send_operation(*this, from, true);
  }
  [[nodiscard]] send_operation send_all(std::string_view text) noexcept {
    return send_all(std::as_bytes(std::span(text)));
  }
  // From a temporary, for instance a std::string, which the operation keeps alive.
  template <detail::owning_bytes Bytes>
  [[nodiscard]] kept_send_operation<Bytes> send_all(Bytes&& from) {
    return kept_send_operation<Bytes>(*this, std::forward<Bytes>(from));
  }
  // Sends all pieces in order without copying them. The pieces and their list must stay valid until
  // the co_await returns.
  [[nodiscard]] send_pieces_operation send_all(std::span<const piece> pieces) noexcept {
    return send_pieces_operation(*this, pieces);
  }
  template <detail::owning_pieces Pieces>
  [[nodiscard]] kept_pieces_operation<Pieces> send_all(Pieces&& pieces) {
    return kept_pieces_operation<Pieces>(*this, std::forward<Pieces>(pieces));
  }
  // Sends what the kernel accepts at once, at least one byte.
  [[nodiscard]] send_operation send_some(std::span<const std::byte> from) noexcept {
    return send_operation(*this, from, false);
  }
  [[nodiscard]] send_operation send_some(std::string_view text) noexcept {
    return send_some(std::as_bytes(std::span(text)));
  }

  // Ends the sending direction: the peer sees the end of the stream. Receiving continues.
  result<void> shutdown_write() noexcept;
  // Closes gracefully: shuts down sending, reads and drops what the peer still sends until the peer
  // ends too or `limit` has passed, then calls close(). A plain close() with unread input resets
  // the connection, and the reset may overtake the last answer.
  [[nodiscard]] task<void> finish(clock::duration limit);
  // Closes at once. Pending operations end with std::errc::operation_canceled. Idempotent.
  void close() noexcept;
  // Gives up the descriptor, which the caller must close. Nothing may be pending. Data that was not
  // received stays in the socket. -EBUSY if the engine has already taken some of it from the kernel
  // (io_uring, see engine_options::receiving): receive it, which does not wait, and try again.
  // -EMFILE is possible with direct descriptors. In both cases the stream is unchanged.
  [[nodiscard]] int release() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool is_tcp() const noexcept { return (more_.load(relaxed) & over_tcp) != 0; }
  // The engine's number for it. For system calls, see system_descriptor.hpp.
  [[nodiscard]] int native_handle() const noexcept { return fd_; }
  [[nodiscard]] engine* on() const noexcept { return engine_; }
  [[nodiscard]] endpoint local() const noexcept;
  [[nodiscard]] endpoint peer() const noexcept;

  // A receive or send without its own deadline ends with std::errc::timed_out when no byte has
  // moved for `limit`, in whole milliseconds. Zero or more than 49 days: no limit.
  void set_idle_timeout(clock::duration limit) noexcept;
  // How long the connection may last, counted from now. After that every receive and send ends with
  // std::errc::timed_out, whatever its own deadline is. Zero or duration::max(): no limit. Throws
  // std::bad_alloc, which leaves the stream unchanged.
  void set_connection_timeout(clock::duration limit);
  // A defence against peers that trickle: a transfer in progress without its own deadline ends with
  // std::errc::timed_out when the peer has moved less than ten times `bytes_per_second` in ten
  // seconds of waiting. A send is in progress from its start; a receive from the first byte after
  // the last send. A peer may therefore be silent between two requests but not within one. Zero: no
  // limit. Throws std::bad_alloc, which leaves the stream unchanged.
  void set_rate_min(std::uint32_t bytes_per_second);
  // TCP_NODELAY: small messages leave at once. connect() and listeners set it unless told not to.
  result<void> set_nodelay(bool on) noexcept;
  // SO_KEEPALIVE with TCP_KEEPIDLE and TCP_KEEPINTVL (whole seconds): a silent peer is probed.
  result<void> set_keepalive(clock::duration idle, clock::duration interval) noexcept;
  // TCP_USER_TIMEOUT: how long sent bytes may remain unacknowledged. tcp(7).
  result<void> set_user_timeout(clock::duration limit) noexcept;
  // SO_SNDBUF and SO_RCVBUF in bytes. The kernel doubles them and stops tuning them to the traffic.
  // A receive buffer smaller than a segment (64 KiB on loopback) makes TCP very slow. socket(7).
  result<void> set_buffers(std::size_t send_bytes, std::size_t recv_bytes) noexcept;
  // Any other option that has an int for a value: setsockopt(2).
  result<void> set_option(int level, int name, int value) noexcept;
  void set_owner(detail::stream_owner* owner) noexcept;

 private:
  friend class detail::stream_operation;
  friend class detail::delivery;
  // The flags in more_.
  static constexpr std::uintptr_t over_tcp = 1;
  // A send has consumed the reset, which the next receive must report: the kernel reports it only
  // once, and then the end of the stream. The two may run on two threads: scope.hpp.
  static constexpr std::uintptr_t was_cut = 2;
  static constexpr std::uintptr_t at_end = 4;  // its home is draining and nothing had arrived
  static constexpr auto relaxed = std::memory_order_relaxed;

  void take(stream& other) noexcept;
  void check_thread() const noexcept;
  void forget() noexcept;
  bool at_end_for(operation& receive) noexcept;
  [[nodiscard]] operation*& seat(op_kind kind) noexcept {
    return receives(kind) ? receiving_ : sending_;
  }
  void take_leave(operation& op) noexcept;
  void heed_reset(operation& op) noexcept;
  bool limit_receiving(std::uint32_t bytes) noexcept;

  int fd_ = -1;
  engine* engine_ = nullptr;
  operation* receiving_ = nullptr;  // pending, or null
  operation* sending_ = nullptr;
  detail::stream_owner* owner_ = nullptr;
};
static_assert(sizeof(stream) <= 48);

}  // namespace iolite

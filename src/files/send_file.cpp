// See file.hpp: send_file(), from a file to a socket.
//
// sendfile(2) and splice(2) have no MSG_DONTWAIT: where sockets block, this one does not while its
// file is sent. Those engines take EAGAIN for what it is, also in a receive beside it.
#include "base/assert.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/file.hpp"
#include "iolite/system_descriptor.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace iolite {
namespace {

constexpr std::size_t copy_bytes = 65'536;
constexpr std::uint64_t piece_bytes = 1 << 30;

// A descriptor in non-blocking mode, for a while.
class nonblocking_now {
 public:
  nonblocking_now(const context& c, int fd) noexcept : on_(*c.on), fd_(fd) {
    if (on_.traits().needs_nonblocking) return;
    const system_descriptor socket(on_, fd_);
    error_ = std::min(socket.number(), 0);
    const int flags = on_.os().fcntl(socket.number(), F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) != 0) return;
    if (on_.os().fcntl(socket.number(), F_SETFL, flags | O_NONBLOCK) == 0) before_ = flags;
  }
  nonblocking_now(const nonblocking_now&) = delete;
  nonblocking_now& operator=(const nonblocking_now&) = delete;
  ~nonblocking_now() {
    if (before_ < 0) return;
    const system_descriptor socket(on_, fd_);
    on_.os().fcntl(socket.number(), F_SETFL, before_);
  }
  // Its number may be somebody else's by now.
  void socket_is_closed() noexcept { before_ = -1; }
  // 0, or why it may block: there is no number to say so by.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  engine& on_;
  const int fd_;
  int before_ = -1;
  int error_ = 0;
};

class send_file_operation : public detail::stream_operation {
 public:
  send_file_operation(stream& to, file_source& from, std::size_t bytes, bool whole,
                      nonblocking_now& mode) noexcept
      : stream_operation(to, whole), from_(from), bytes_(bytes), mode_(mode) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return begin(h, h.promise().ctx(), {op_kind::send_file, &from_, bytes_});
  }
  result<std::size_t> await_resume() noexcept {
    const operation& op = end().own;
    if (!op.through || op.outcome == -EBADF) mode_.socket_is_closed();
    if (op.outcome < 0) return failure(op.outcome);
    return op.moved;
  }

 private:
  file_source& from_;
  const std::size_t bytes_;
  nonblocking_now& mode_;
};

struct pipe_ends {
  explicit pipe_ends(kernel& k) noexcept : os(k), error(k.pipe2(fd, O_CLOEXEC)) {}
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    if (error < 0) return;
    os.close(fd[0]);
    os.close(fd[1]);
  }
  kernel& os;
  int fd[2] = {-1, -1};
  const int error;
};

// What is to be sent, and what has been.
struct progress {
  std::uint64_t at;
  std::uint64_t left;
  std::uint64_t sent = 0;

  void went(std::uint64_t n) noexcept {
    at += n;
    left -= n;
    sent += n;
  }
};

task<std::error_code> by_copy(stream& to, const file& from, progress& p) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(copy_bytes, p.left));
  while (p.left > 0) {
    const auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), p.left));
    const auto n = co_await from.read_at(p.at, piece);
    if (!n) co_return n.error();
    if (*n == 0) break;
    const auto sent = co_await to.send_all(piece.first(*n));
    if (!sent) co_return sent.error();
    p.went(*n);
  }
  co_return std::error_code();
}

task<std::error_code> by_sendfile(stream& to, const file& from, progress& p,
                                  nonblocking_now& mode) {
  file_source source{from.native_handle(), false};
  while (p.left > 0) {
    source.at = p.at;
    const auto n =
        co_await send_file_operation(to, source, std::min(p.left, piece_bytes), false, mode);
    // sendfile(2): beyond what its file system could hold, not only beyond its end.
    if (!n && n.error() == std::errc::value_too_large) break;
    if (!n) co_return n.error();
    if (*n == 0) break;
    p.went(*n);
  }
  co_return std::error_code();
}

task<std::error_code> by_splice(stream& to, const file& from, progress& p, nonblocking_now& mode) {
  kernel& os = to.on()->os();
  const pipe_ends between(os);
  if (between.error < 0) co_return failure(between.error).error();
  file_source source{between.fd[0], true};
  while (p.left > 0) {
    auto at = static_cast<off_t>(p.at);
    const long in = os.splice(from.native_handle(), &at, between.fd[1], nullptr,
                              std::min(p.left, piece_bytes), SPLICE_F_NONBLOCK);
    if (in == -EINTR) continue;
    if (in < 0) co_return failure(static_cast<int>(in)).error();
    if (in == 0) break;
    const auto n =
        co_await send_file_operation(to, source, static_cast<std::size_t>(in), true, mode);
    if (!n) co_return n.error();
    p.went(*n);
  }
  co_return std::error_code();
}

// The file system or the socket has no such way.
bool cannot(std::error_code e) noexcept {
  return e == std::errc::invalid_argument || e == std::errc::function_not_supported ||
         e == std::errc::operation_not_supported;
}

}  // namespace

task<result<std::uint64_t>> send_file(stream& to, const file& from, std::uint64_t at,
                                      std::uint64_t length, transfer how) {
  if (!to.is_open() || !from.is_open()) co_return failure(-EBADF);
  if (!from.has_places()) co_return failure(-ESPIPE);
  if (at > offset_max) co_return failure(-EINVAL);
  const context c = co_await here{};
  progress p{at, std::min(length, offset_max - at)};
  std::error_code error;
  if (how != transfer::copy) {
    nonblocking_now mode(c, to.native_handle());
    if (mode.error() < 0) co_return failure(mode.error());
    if (how == transfer::splice) error = co_await by_splice(to, from, p, mode);
    else error = co_await by_sendfile(to, from, p, mode);
  }
  // Here the socket is as it was before: it may be closed while a piece of the file is read.
  if (how == transfer::copy || (how == transfer::best && cannot(error) && p.sent == 0)) {
    error = co_await by_copy(to, from, p);
  }
  if (error) co_return std::unexpected(error);
  co_return p.sent;
}

}  // namespace iolite

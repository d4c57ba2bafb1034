// See stream.hpp.
#include "iolite/stream.hpp"

#include "core/assert.hpp"
#include "iolite/engine.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <utility>

namespace iolite {

// --- operations ---

detail::stream_operation::stream_operation(stream& s, op_kind k, std::byte* bytes, std::size_t n,
                                           bool whole) noexcept
    : stream_(&s) {
  kind = k;
  data = bytes;
  size = n;
  all = whole;
  short_is_empty = s.tcp_;
}

detail::stream_operation*& detail::stream_operation::seat() const noexcept {
  return kind == op_kind::recv ? stream_->receiving_ : stream_->sending_;
}

bool detail::stream_operation::begin_on_stream(std::coroutine_handle<> h,
                                               const context& c) noexcept {
  IOLITE_ASSERT(c.on == stream_->engine_ || !stream_->engine_ || c.on->traits().blocking,
                "a stream is used on the engine it belongs to");
  IOLITE_ASSERT(!seat(), kind == op_kind::recv ? "two tasks receive from one stream at a time"
                                               : "two tasks send on one stream at a time");
  fd = stream_->fd_;
  if (kind == op_kind::recv && stream_->at_end_for(*this)) {
    outcome = 0;
    moved = 0;
    return false;
  }
  if (stream_->idle_ > clock::duration::zero() && deadline == never) {
    deadline = deadline_after(c.on->now(), stream_->idle_);
  }
  seat() = this;
  return begin(h, c);
}

void detail::stream_operation::heed_reset() noexcept {
  if (outcome == -ECONNRESET) {
    stream_->cut_ = kind == op_kind::send;
  } else if (kind == op_kind::recv && outcome >= 0 &&
             (all ? moved < size : outcome == 0 && size > 0)) {
    if (stream_->cut_.exchange(false)) outcome = -ECONNRESET;
  }
}

int detail::stream_operation::end_on_stream() noexcept {
  if (stream_ && seat() == this) {
    seat() = nullptr;
    heed_reset();
    if (kind == op_kind::recv && stream_->receivable_ != stream::unlimited)
      stream_->receivable_ -= std::min(stream_->receivable_, moved);
  }
  return end();
}

result<std::size_t> recv_operation::await_resume() noexcept {
  const int r = end_on_stream();
  if (r < 0) return failure(r);
  return static_cast<std::size_t>(r);
}

result<void> recv_all_operation::await_resume() noexcept {
  const int r = end_on_stream();
  if (r < 0) return failure(r);
  if (moved < size) return std::unexpected(make_error_code(errc::end_of_stream));
  return {};
}

result<lease> recv_lease_operation::await_resume() noexcept {
  const int r = end_on_stream();
  if (r < 0) return failure(r);
  if (r == 0) return lease();
  return lease(*on->buffers(), data, static_cast<std::size_t>(r));
}

result<std::size_t> send_operation::await_resume() noexcept {
  const int r = end_on_stream();
  if (r < 0) return failure(r);
  return moved;
}

send_pieces_operation::send_pieces_operation(stream& s, std::span<const piece> pieces) noexcept
    : send_operation(s, {}, true), all_pieces_(pieces) {
  gathers = true;
  data = reinterpret_cast<std::byte*>(static_cast<piece_source*>(this));
  for (const piece p : pieces) size += p.size();
}

std::size_t send_pieces_operation::pieces_after(std::size_t sent, std::span<piece> into) noexcept {
  if (sent < before_) first_ = before_ = 0;  // awaited once more
  while (sent - before_ >= all_pieces_[first_].size()) before_ += all_pieces_[first_++].size();
  std::size_t skipped = sent - before_;
  std::size_t n = 0;
  for (std::size_t i = first_; i < all_pieces_.size() && n < into.size(); ++i) {
    if (all_pieces_[i].empty()) continue;
    into[n++] = all_pieces_[i].subspan(std::exchange(skipped, 0));
  }
  return n;
}

// A peer that asks again and again would never see the end by shutdown(2) alone: what arrives after
// it is received all the same. So what is there at first is counted, and more is not taken, but for
// the rest of what a recv_all() has begun.
bool stream::at_end_for(detail::stream_operation& receive) noexcept {
  if (!owner_ || fd_ < 0 || !owner_->ending()) return false;
  if (receivable_ == unlimited) {
    int arrived = 0;
    if (engine_->os().bytes_arrived(fd_, &arrived) < 0) return false;
    receivable_ = static_cast<std::size_t>(arrived);
  }
  if (!receive.all) receive.size = std::min(receive.size, receivable_);
  return receivable_ == 0;
}

// --- connecting ---

namespace {

class connect_operation : public awaitable_operation {
 public:
  connect_operation(int socket, endpoint& to) noexcept {
    kind = op_kind::connect;
    fd = socket;
    data = static_cast<std::byte*>(const_cast<void*>(to.native()));
    size = to.native_bytes();
  }
  result<void> await_resume() noexcept {
    const int r = end();
    if (r < 0) return failure(r);
    return {};
  }
};

// A blocking engine connects without blocking, so that it can be given up; then blocks.
bool connects_nonblocking(const engine_traits& t) noexcept {
  return t.needs_nonblocking || t.blocking;
}

}  // namespace

task<result<stream>> stream::connect(endpoint to, clock::duration limit) {
  const context c = co_await here{};
  kernel& os = c.on->os();
  const engine_traits traits = c.on->traits();
  const clock::time_point until = deadline_after(c.on->now(), limit);
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (connects_nonblocking(traits) ? SOCK_NONBLOCK : 0);
  for (;;) {
    const int fd = os.socket(to.family(), type, 0);
    if (fd < 0) co_return failure(fd);
    stream s(*c.on, fd, to.is_tcp());
    connect_operation connecting(fd, to);
    connecting.deadline = until;
    const auto connected = co_await connecting;
    // unix(7) says EAGAIN when the listener's queue is full, and nothing tells when it is not.
    if (!connected && connected.error() == std::errc::device_or_resource_busy && to.is_unix()) {
      s.close();
      if (c.on->now() >= until) co_return failure(-ETIMEDOUT);
      auto pause = sleep(std::chrono::milliseconds(1));
      if (const auto slept = co_await pause; !slept) co_return std::unexpected(slept.error());
      continue;
    }
    if (!connected) co_return std::unexpected(connected.error());
    if (traits.blocking) {
      if (const int r = os.fcntl(fd, F_SETFL, 0); r < 0) co_return failure(r);
    }
    if (to.is_tcp()) {
      if (const auto set = s.set_nodelay(true); !set) co_return std::unexpected(set.error());
    }
    co_return std::move(s);
  }
}

// --- ending ---

result<void> stream::shutdown_write() noexcept {
  if (fd_ < 0) return failure(-EBADF);
  const int r = engine_->os().shutdown(fd_, SHUT_WR);
  if (r < 0) return failure(r);
  return {};
}

task<void> stream::finish(clock::duration limit) {
  const context c = co_await here{};
  const clock::time_point until = deadline_after(c.on->now(), limit);
  if (shutdown_write()) {
    std::array<std::byte, 1024> dropped;
    for (;;) {
      auto rest = recv(dropped);
      rest.deadline = until;
      const auto n = co_await rest;
      if (!n || *n == 0) break;
    }
  }
  close();
}

void stream::close() noexcept {
  if (fd_ < 0) return;
  for (auto** const seat : {&receiving_, &sending_}) {
    if (auto* op = std::exchange(*seat, nullptr)) op->stream_ = nullptr, engine_->cancel(*op);
  }
  const int fd = std::exchange(fd_, -1);
  if (auto* owner = std::exchange(owner_, nullptr)) owner->closing(fd);
  engine_->close(fd);
}

int stream::release() noexcept {
  IOLITE_ASSERT(!receiving_ && !sending_,
                "a stream is released only while nothing is pending on it");
  owner_ = nullptr;
  if (fd_ >= 0) engine_->forget(fd_);
  return std::exchange(fd_, -1);
}

void stream::take(stream& other) noexcept {
  IOLITE_ASSERT(!other.receiving_ && !other.sending_,
                "a stream is moved only while nothing is pending on it");
  engine_ = other.engine_;
  fd_ = std::exchange(other.fd_, -1);
  tcp_ = other.tcp_;
  idle_ = other.idle_;
  owner_ = std::exchange(other.owner_, nullptr);
  receivable_ = std::exchange(other.receivable_, unlimited);
  cut_ = other.cut_.exchange(false);
}

// --- addresses and options ---

endpoint stream::local() const noexcept {
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  if (fd_ < 0 || engine_->os().getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &n) < 0) return {};
  return endpoint::from_native(&a, n);
}

endpoint stream::peer() const noexcept {
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  if (fd_ < 0 || engine_->os().getpeername(fd_, reinterpret_cast<sockaddr*>(&a), &n) < 0) return {};
  return endpoint::from_native(&a, n);
}

result<void> stream::set_option(int level, int name, int value) noexcept {
  if (fd_ < 0) return failure(-EBADF);
  const int r = engine_->os().setsockopt(fd_, level, name, &value, sizeof value);
  if (r < 0) return failure(r);
  return {};
}

result<void> stream::set_nodelay(bool on) noexcept {
  return set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

namespace {

int at_least_one_second(clock::duration d) noexcept {
  return static_cast<int>(
      std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(d).count(), 1, 32767));
}

}  // namespace

result<void> stream::set_keepalive(clock::duration idle, clock::duration interval) noexcept {
  if (auto r = set_option(SOL_SOCKET, SO_KEEPALIVE, 1); !r) return r;
  if (auto r = set_option(IPPROTO_TCP, TCP_KEEPIDLE, at_least_one_second(idle)); !r) return r;
  return set_option(IPPROTO_TCP, TCP_KEEPINTVL, at_least_one_second(interval));
}

result<void> stream::set_user_timeout(clock::duration limit) noexcept {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return set_option(IPPROTO_TCP, TCP_USER_TIMEOUT,
                    static_cast<int>(std::clamp<std::int64_t>(ms, 0, INT32_MAX)));
}

result<void> stream::set_buffers(std::size_t send_bytes, std::size_t recv_bytes) noexcept {
  const auto clamped = [](std::size_t n) {
    return static_cast<int>(std::min<std::size_t>(n, INT32_MAX / 2));
  };
  if (auto r = set_option(SOL_SOCKET, SO_SNDBUF, clamped(send_bytes)); !r) return r;
  return set_option(SOL_SOCKET, SO_RCVBUF, clamped(recv_bytes));
}

}  // namespace iolite

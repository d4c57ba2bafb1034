// See stream.hpp.
#include "iolite/stream.hpp"

#include "base/assert.hpp"
#include "core/transfer_limits.hpp"
#include "iolite/byte_stream.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/scope.hpp"
#include "iolite/system_descriptor.hpp"
#include "iolite/time.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>
#include <utility>

namespace iolite {

static_assert(byte_stream<stream>);

// --- operations ---

bool detail::stream_operation::begin(std::coroutine_handle<> h, const context& c,
                                     const stream_wish& w) noexcept {
  IOLITE_ASSERT(!is(waiting), "an operation is awaited once at a time");
  stream* const s = at<stream>();  // null: it was closed under an earlier wait, and may be gone
  IOLITE_ASSERT(!s || c.on == s->engine_ || !s->engine_ || c.on->traits().blocking,
                "a stream is used on the engine it belongs to");
  IOLITE_ASSERT(!s || !s->seat(w.kind), receives(w.kind)
                                            ? "two tasks receive from one stream at a time"
                                            : "two tasks send on one stream at a time");
  operation& op = c.in->own;
  op.cancel_requested = is(cancelled);  // an earlier one was for that time
  c.in->enter(op);
  at_ = reinterpret_cast<std::uintptr_t>(c.in) | (at_ & all) | waiting;
  op.kind = w.kind;
  op.all = is(all);
  op.picks_buffer = w.picks_buffer;
  op.gathers = w.gathers;
  op.short_is_empty = s && s->is_tcp();
  op.idles = false;
  op.fd = s ? s->fd_ : -1;
  op.payload = w.payload;
  op.size = w.size;
  op.through = s;
  op.waiter = h;
  op.deadline = deadline;
  if (!s) return c.on->start(op) == engine::started::pending;
  s->seat(w.kind) = &op;
  if (receives(w.kind) && s->at_end_for(op)) {
    return c.on->end_early(op, 0) == engine::started::pending;
  }
  if ((s->idle_ms_ > 0 || s->limits()) && !s->bound(op, *c.on)) {
    return c.on->end_early(op, -ETIMEDOUT) == engine::started::pending;
  }
  return c.on->start(op) == engine::started::pending;
}

const child_task& detail::stream_operation::end() noexcept {
  child_task& t = *at<child_task>();
  operation& op = t.own;
  auto* const s = static_cast<stream*>(op.through);
  if (s) s->take_leave(op);
  t.leave();
  at_ = reinterpret_cast<std::uintptr_t>(s) | (at_ & all);
  return t;
}

void detail::stream_operation::cancel() noexcept {
  if (is(waiting)) at<child_task>()->of->on->cancel(at<child_task>()->own);
  else at_ |= cancelled;
}

void detail::stream_operation::check_over() const noexcept {
  const operation& op = at<child_task>()->own;
  if (op.state == op_state::pending) op.destroyed_while_pending();
}

void stream::take_leave(operation& op) noexcept {
  if (seat(op.kind) != &op) return;
  seat(op.kind) = nullptr;
  heed_reset(op);
  auto* const l = limits();
  if (l) l->ended(op, *engine_);
  if (op.outcome != -ETIMEDOUT || !owner_) return;
  if (op.idles || (l && engine_->now() >= l->ends)) owner_->home->timed_out();
}

void stream::heed_reset(operation& op) noexcept {
  if (op.outcome == -ECONNRESET) {
    if (sends(op.kind)) more_.fetch_or(was_cut);
    else more_.fetch_and(~was_cut);
  } else if (receives(op.kind) && op.outcome >= 0 &&
             (op.all ? op.moved < op.size : op.outcome == 0 && op.size > 0)) {
    if ((more_.load(relaxed) & was_cut) == 0) return;
    if ((more_.fetch_and(~was_cut) & was_cut) != 0) op.outcome = -ECONNRESET;
  }
}

result<std::size_t> recv_operation::await_resume() noexcept {
  const operation& op = end().own;
  if (op.outcome < 0) return failure(op.outcome);
  return static_cast<std::size_t>(op.outcome);
}

result<void> recv_all_operation::await_resume() noexcept {
  const operation& op = end().own;
  moved = op.moved;
  if (op.outcome < 0) return failure(op.outcome);
  if (op.moved < op.size) return std::unexpected(make_error_code(errc::end_of_stream));
  return {};
}

result<lease> recv_lease_operation::await_resume() noexcept {
  const child_task& t = end();
  if (t.own.outcome < 0) return failure(t.own.outcome);
  if (t.own.outcome == 0) return lease();
  return lease(*t.of->on->buffers(), t.own.payload.bytes, static_cast<std::size_t>(t.own.outcome));
}

result<std::size_t> send_operation::await_resume() noexcept {
  const operation& op = end().own;
  moved = op.moved;
  if (op.outcome < 0) return failure(op.outcome);
  return op.moved;
}

result<std::size_t> send_pieces_operation::await_resume() noexcept {
  const operation& op = end().own;
  moved = op.moved;
  if (op.outcome < 0) return failure(op.outcome);
  return op.moved;
}

std::size_t send_pieces_operation::bytes() const noexcept {
  std::size_t sum = 0;
  for (const piece p : all_pieces_) sum += p.size();
  return sum;
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
bool stream::at_end_for(operation& receive) noexcept {
  if (!owner_ || fd_ < 0 || !owner_->home->ending()) return false;
  if ((more_.load(relaxed) & at_end) != 0) return true;
  detail::transfer_limits* l = limits();
  if (!l || l->receivable == l->unlimited) {
    const std::size_t ahead = engine_->arrived_ahead(fd_);  // first: no more leaves the kernel then
    int arrived = 0;
    const system_descriptor socket(*this);
    if (engine_->os().bytes_arrived(socket.number(), &arrived) < 0) return false;
    const auto all = static_cast<std::uint32_t>(ahead + static_cast<std::size_t>(arrived));
    if (!limit_receiving(all)) return true;
    l = limits();
  }
  if (!receive.all) receive.size = std::min<std::size_t>(receive.size, l->receivable);
  return l->receivable == 0;
}

// --- connecting ---

namespace {

class connect_operation : public awaitable_operation {
 public:
  connect_operation(int socket, endpoint& to) noexcept {
    kind = op_kind::connect;
    fd = socket;
    payload = static_cast<const sockaddr*>(to.native());
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

// For a connection to `to`, as `on` keeps its sockets; or -errno.
int new_socket(engine& on, const endpoint& to) noexcept {
  kernel& os = on.os();
  const int mode = connects_nonblocking(on.traits()) ? SOCK_NONBLOCK : 0;
  const int fd = os.socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
  if (fd < 0) return fd;
  constexpr int yes = 1;
  int r = to.is_tcp() ? os.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) : 0;
  if (r == 0) r = on.adopt(fd);
  if (r < 0) os.close(fd);
  return r;
}

}  // namespace

task<result<stream>> stream::connect(endpoint to, clock::duration limit) {
  const context c = co_await here{};
  kernel& os = c.on->os();
  const engine_traits traits = c.on->traits();
  const clock::time_point until = deadline_after(c.on->now(), limit);
  for (;;) {
    const int fd = new_socket(*c.on, to);
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
    co_return std::move(s);
  }
}

// --- ending ---

result<void> stream::shutdown_write() noexcept {
  if (fd_ < 0) return failure(-EBADF);
  check_thread();
  const system_descriptor socket(*this);
  if (socket.number() < 0) return failure(socket.number());
  const int r = engine_->os().shutdown(socket.number(), SHUT_WR);
  if (r < 0) return failure(r);
  return {};
}

task<void> stream::finish(clock::duration limit) {
  const context c = co_await here{};
  const clock::time_point until = deadline_after(c.on->now(), limit);
  if (shutdown_write()) {
    std::array<std::byte, 1024> dropped;
    while (c.on->now() < until) {  // a peer that never pauses is never waited for
      auto rest = recv(dropped);
      rest.deadline = until;
      const auto n = co_await rest;
      if (!n || *n == 0) break;
    }
  }
  close();
}

stream::stream(engine& on, int fd, bool tcp) noexcept
    : transfer_bounds(tcp ? over_tcp : 0), fd_(fd), engine_(on.of_streams_) {
  if (fd_ >= 0) engine_->streams_.fetch_add(1, relaxed);
}

// A blocking engine does nothing for a descriptor but system calls, which any thread may make.
void stream::check_thread() const noexcept {
  IOLITE_ASSERT(!engine_ || !engine_->runs_elsewhere() || engine_->traits().blocking,
                "a stream is used, moved and closed on the thread of its engine");
}

// It has no descriptor any more.
void stream::forget() noexcept {
  fd_ = -1;
  delete limits();
  more_.fetch_and(over_tcp);
  engine_->streams_.fetch_sub(1, relaxed);
}

void stream::close() noexcept {
  if (fd_ < 0) return;
  check_thread();
  for (operation** const seat : {&receiving_, &sending_}) {
    if (auto* op = std::exchange(*seat, nullptr)) op->through = nullptr, engine_->cancel(*op);
  }
  const int fd = fd_;
  forget();
  auto* const owner = std::exchange(owner_, nullptr);
  if (!owner) return engine_->close(fd);
  owner->of = nullptr;
  owner->home->close(*owner, *engine_, fd, is_tcp());
}

int stream::release() noexcept {
  IOLITE_ASSERT(!receiving_ && !sending_,
                "a stream is released only while nothing is pending on it");
  if (fd_ < 0) return -1;
  check_thread();
  if (!engine_->take_nothing_ahead(fd_)) return -EBUSY;
  const int fd = engine_->expose(fd_);
  if (fd < 0) return fd;
  if (fd == fd_) engine_->forget(fd_);
  else engine_->close(fd_);  // there are two for the socket
  forget();
  if (auto* const owner = std::exchange(owner_, nullptr)) {
    owner->of = nullptr;
    owner->home->released(*owner);
  }
  return fd;
}

void stream::take(stream& other) noexcept {
  IOLITE_ASSERT(!other.receiving_ && !other.sending_,
                "a stream is moved only while nothing is pending on it");
  other.check_thread();
  engine_ = other.engine_;
  fd_ = std::exchange(other.fd_, -1);
  idle_ms_ = other.idle_ms_;
  set_owner(std::exchange(other.owner_, nullptr));
  // Nothing is pending: no other thread sees either of them.
  const std::uintptr_t more = other.more_.load(relaxed);
  more_.store(more, relaxed);
  other.more_.store(more & over_tcp, relaxed);
}

void stream::set_owner(detail::stream_owner* owner) noexcept {
  owner_ = owner;
  if (owner_) owner_->of = this;
}

}  // namespace iolite

// See perform.hpp.
#include "core/perform.hpp"

#include "base/assert.hpp"
#include "core/gather.hpp"
#include "core/pipe_signal.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/system_descriptor.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

namespace iolite {
namespace {

// Where in the file it goes on.
off_t place_of(const operation& op, std::uint64_t begin) noexcept {
  return static_cast<off_t>(begin + op.moved);
}

// connect(2) says how a connect in progress went when it is called again: EALREADY while it goes
// on, EISCONN when it is made, else the error. A look at SO_ERROR would take "not yet" for success.
int connect_once(kernel& os, const operation& op) noexcept {
  const int r = os.connect(op.fd, op.payload.address, static_cast<socklen_t>(op.size));
  if (r == -EISCONN) return 0;
  if (r == -EINPROGRESS || r == -EALREADY || r == -EINTR) return -EAGAIN;
  // unix(7): the listener's queue is full, and nothing tells when it is not: see stream::connect.
  if (r == -EAGAIN) return -EBUSY;
  return r;
}

[[gnu::noinline]] long gather_once(kernel& os, const operation& op, int flags) noexcept {
  gathered pieces;
  pieces.take_from(op);
  return os.sendmsg(op.fd, &pieces.header(), flags);
}

// The peer may be gone, and unlike send(2) these calls cannot be told not to raise SIGPIPE; after a
// part was sent it comes without the error.
long send_file_once(kernel& os, const operation& op) noexcept {
  pipe_signal_held held(os);
  if (held.error() < 0) return held.error();
  const auto& from = *op.payload.file;
  off_t at = place_of(op, from.at);
  const long n = from.pipe
                     ? os.splice(from.fd, nullptr, op.fd, nullptr, left_of(op), SPLICE_F_NONBLOCK)
                     : os.sendfile(op.fd, from.fd, &at, left_of(op));
  if (n == -EPIPE || (n > 0 && static_cast<std::size_t>(n) < left_of(op))) held.take_back();
  return n;
}

int ready_once(kernel& os, const operation& op) noexcept {
  pollfd p{op.fd, poll_bits(op.wanted), 0};
  const int n = os.poll(&p, 1, 0);
  if (n <= 0) return n == 0 ? -EAGAIN : n;
  if ((p.revents & POLLNVAL) != 0) return -EBADF;
  return static_cast<int>(from_poll_bits(p.revents) & op.wanted);
}

// Apart from what every message goes through, which needs no room on the stack.
[[gnu::noinline]] long perform_rare(kernel& os, const operation& op,
                                    bool nonblocking_sockets) noexcept {
  switch (op.kind) {
  case op_kind::accept:
    return os.accept4(op.fd, nullptr, nullptr,
                      SOCK_CLOEXEC | (nonblocking_sockets ? SOCK_NONBLOCK : 0));
  case op_kind::connect: return connect_once(os, op);
  case op_kind::send_file: return send_file_once(os, op);
  case op_kind::read:
    return os.pread(op.fd, op.payload.bytes + op.moved, left_of(op), place_of(op, op.offset));
  case op_kind::write:
    return os.pwrite(op.fd, op.payload.bytes + op.moved, left_of(op), place_of(op, op.offset));
  case op_kind::sync: return os.fsync(op.fd);
  case op_kind::ready: return ready_once(os, op);
  default: detail::rule_broken("sleep and event are the engine's own");
  }
}

}  // namespace

int perform(kernel& os, operation& op, wait_in_call wait, bool nonblocking_sockets) noexcept {
  const int flags = MSG_NOSIGNAL | (wait == wait_in_call::no ? MSG_DONTWAIT : 0);
  long n = 0;
  do {
    if (op.kind == op_kind::recv)
      n = os.recv(op.fd, op.payload.bytes + op.moved, left_of(op), flags);
    else if (op.kind != op_kind::send) n = perform_rare(os, op, nonblocking_sockets);
    else if (op.gathers) n = gather_once(os, op, flags);
    else n = os.send(op.fd, op.payload.bytes + op.moved, left_of(op), flags);
  } while (n == -EINTR);
  return static_cast<int>(n);
}

namespace {

// A receive into the pool, for the connection that the engine knows as `fd`.
int perform_leased(engine& on, operation& op, wait_in_call wait, int fd) noexcept {
  buffer_pool* const pool = on.buffers();
  if (!pool) return -ENOMEM;
  const auto room = pool->room();
  const auto into = room.empty() ? pool->piece_for(fd) : room;
  if (into.empty()) return -ENOBUFS;
  const std::size_t wanted = op.size;  // a drain may have limited it
  op.payload.bytes = into.data();
  op.size = std::min(wanted, into.size());
  const int n = perform(on.os(), op, wait, false);
  if (n > 0 && !room.empty()) pool->fill(static_cast<std::size_t>(n));
  if (n > 0) return n;
  if (room.empty()) pool->give(into.data());
  op.payload.bytes = nullptr;
  op.size = wanted;
  return n;
}

int perform_as(engine& on, operation& op, wait_in_call wait, int fd) noexcept {
  if (op.picks_buffer) return perform_leased(on, op, wait, fd);
  const bool nonblocking =
      op.kind == op_kind::accept && !op.gives_blocking && on.traits().needs_nonblocking;
  return perform(on.os(), op, wait, nonblocking);
}

}  // namespace

int perform_on(engine& on, operation& op, wait_in_call wait) noexcept {
  return perform_as(on, op, wait, op.fd);
}

int perform_exposed(engine& on, operation& op) noexcept {
  const system_descriptor known(on, op.fd);
  if (known.number() < 0) return known.number();
  const int named = std::exchange(op.fd, known.number());
  const int r = perform_as(on, op, wait_in_call::no, named);
  op.fd = named;
  return r;
}

interest interest_of(const operation& op) noexcept {
  const interest direction = traits_of(op.kind).direction;
  return direction != interest::none ? direction : op.wanted & interest::both;
}

}  // namespace iolite

// See ring_file.hpp: what the requests do. Each may be attempted many times, and is done once.
#include "kernel/simulated/ring_file.hpp"
#include "kernel/simulated/socket_file.hpp"

#include <algorithm>
#include <fcntl.h>

namespace iolite::simulated {
namespace {

std::span<std::byte> room_of(const auto& asked) noexcept {
  return {reinterpret_cast<std::byte*>(asked.address), asked.bytes};
}

}  // namespace

int ring_file::attempt(request& r, unsigned& flags) {
  if (world().time.now() < r.earliest) return -EAGAIN;
  switch (r.asked.opcode) {
  case IORING_OP_ACCEPT: return accept(r);
  case IORING_OP_CONNECT: return connect(r);
  case IORING_OP_RECV: return receive(r, flags);
  case IORING_OP_SEND: return send(r);
  case IORING_OP_POLL_ADD: return poll(r);
  case IORING_OP_READ:
  case IORING_OP_WRITE: return transfer(r);
  case IORING_OP_FSYNC: return static_cast<int>(r.on->sync());
  default: return -EINVAL;
  }
}

int ring_file::accept(request& r) {
  auto* const s = dynamic_cast<socket_file*>(r.on.get());
  if (!s) return -ENOTSOCK;
  if (!s->is_listening()) return -EINVAL;
  if ((s->readiness() & POLLIN) == 0) return -EAGAIN;
  if (!files_.has_room()) return -EMFILE;
  if (wrong(fault_kind::no_memory)) return -ENOMEM;
  if (wrong(fault_kind::abort_accept)) return -ECONNABORTED;
  const auto child = s->accept();
  if (r.asked.call_flags & SOCK_NONBLOCK) child->status_flags |= O_NONBLOCK;
  return files_.add(child, (r.asked.call_flags & SOCK_CLOEXEC) != 0);
}

int ring_file::connect(request& r) {
  auto* const s = dynamic_cast<socket_file*>(r.on.get());
  if (!s) return -ENOTSOCK;
  address to;
  const auto* const at = reinterpret_cast<const sockaddr*>(r.asked.address);
  const int bad = read_address(at, static_cast<socklen_t>(r.asked.offset), s->local().family, to);
  if (bad < 0) return bad;
  if (s->is_fresh() && wrong(fault_kind::no_memory)) return -ENOBUFS;
  const int result = s->connect(to);
  if (result == -EAGAIN) {  // unix(7): a full queue, and nothing tells when it is not
    const auto me = shared_from_this();
    world().time.after(std::chrono::milliseconds(1), [this, me] { changed(POLLIN); });
  }
  return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
}

int ring_file::receive(request& r, unsigned& flags) {
  auto* const s = dynamic_cast<socket_file*>(r.on.get());
  if (!s) return -ENOTSOCK;
  if ((s->readiness() & (POLLIN | POLLERR | POLLHUP)) == 0) return -EAGAIN;
  // A signal has met the worker that does it.
  if (wrong(fault_kind::interrupt)) return -EINTR;
  if ((r.asked.flags & IOSQE_BUFFER_SELECT) == 0) {
    return static_cast<int>(s->receive(room_of(r.asked), false));
  }
  const auto it = buffers_.find(r.asked.buffer_group);
  if (it == buffers_.end()) return -ENOBUFS;
  buffers& group = it->second;
  const std::uint16_t tail = group.entries[0].resv;  // see struct io_uring_buf_ring
  if (tail == group.head) return -ENOBUFS;
  const io_uring_buf& buffer = group.entries[group.head % group.count];
  const std::size_t most = r.asked.bytes == 0 ? buffer.len : std::min(r.asked.bytes, buffer.len);
  const long n = s->receive({reinterpret_cast<std::byte*>(buffer.addr), most}, false);
  // At the end of a stream some kernels use a buffer up, and others do not.
  if (n > 0 || (n == 0 && world().random.below(2) == 0)) {
    flags = IORING_CQE_F_BUFFER | (unsigned{buffer.bid} << IORING_CQE_BUFFER_SHIFT);
    ++group.head;
  }
  return static_cast<int>(n);
}

int ring_file::send(request& r) {
  auto* const s = dynamic_cast<socket_file*>(r.on.get());
  if (s && (s->readiness() & POLLOUT) != 0 && wrong(fault_kind::no_memory)) return -ENOBUFS;
  return s ? static_cast<int>(s->send(room_of(r.asked))) : -ENOTSOCK;
}

// At a place of a file, or where it stands: -1.
int ring_file::transfer(request& r) {
  const auto room = room_of(r.asked);
  const bool reads = r.asked.opcode == IORING_OP_READ;
  if (!r.on->is_regular() || r.asked.offset == ~std::uint64_t{0}) {
    return static_cast<int>(reads ? r.on->read(room) : r.on->write(room));
  }
  return static_cast<int>(reads ? r.on->read_at(room, r.asked.offset)
                                : r.on->write_at(room, r.asked.offset));
}

int ring_file::poll(const request& r) const {
  const int bits = r.on->readiness() & (static_cast<int>(r.asked.call_flags) | POLLERR | POLLHUP);
  return bits != 0 ? bits : -EAGAIN;
}

}  // namespace iolite::simulated

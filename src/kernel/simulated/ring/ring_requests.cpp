// See ring_file.hpp: what the requests do. Each may be attempted many times, and is done once, but
// for multishot ones.
#include "kernel/ring_names.hpp"
#include "kernel/simulated/ring/ring_file.hpp"
#include "kernel/simulated/sockets/any_socket.hpp"
#include "kernel/simulated/sockets/bytes.hpp"

#include <algorithm>
#include <fcntl.h>
#include <utility>

namespace iolite::simulated {
namespace {

std::span<std::byte> room_of(const auto& asked) noexcept {
  return {reinterpret_cast<std::byte*>(asked.address), asked.bytes};
}

}  // namespace

bool ring_file::is_multishot(const submission& asked) noexcept {
  switch (asked.opcode) {
  case IORING_OP_ACCEPT: return (asked.priority & ring_accept_multishot) != 0;
  case IORING_OP_RECV: return (asked.priority & ring_receive_multishot) != 0;
  case IORING_OP_POLL_ADD: return (asked.bytes & IORING_POLL_ADD_MULTI) != 0;
  default: return false;
  }
}

bool ring_file::is_known(const submission& asked) noexcept {
  if (asked.has(IOSQE_IO_DRAIN)) return false;
  switch (asked.opcode) {
  case IORING_OP_LINK_TIMEOUT: return false;  // nothing before it
  case IORING_OP_RECV: return !is_multishot(asked) || asked.has(IOSQE_BUFFER_SELECT);
  case IORING_OP_NOP:
  case IORING_OP_ACCEPT:
  case IORING_OP_CONNECT:
  case IORING_OP_SEND:
  case IORING_OP_SENDMSG:
  case IORING_OP_POLL_ADD:
  case IORING_OP_POLL_REMOVE:
  case IORING_OP_READ:
  case IORING_OP_WRITE:
  case IORING_OP_FSYNC:
  case IORING_OP_TIMEOUT:
  case IORING_OP_TIMEOUT_REMOVE:
  case IORING_OP_ASYNC_CANCEL:
  case IORING_OP_SHUTDOWN:
  case IORING_OP_CLOSE:
  case IORING_OP_FILES_UPDATE:
  case ring_op_fixed_fd_install: return true;
  default: return false;
  }
}

bool ring_file::needs_file(const submission& asked) noexcept {
  switch (asked.opcode) {
  case IORING_OP_NOP:
  case IORING_OP_POLL_REMOVE:
  case IORING_OP_TIMEOUT:
  case IORING_OP_TIMEOUT_REMOVE:
  case IORING_OP_ASYNC_CANCEL:
  case IORING_OP_FILES_UPDATE:
  case IORING_OP_CLOSE: return false;
  default: return true;
  }
}

bool ring_file::hurries(const request& r) noexcept {
  const bool on_socket = r.asked.opcode == IORING_OP_RECV || r.asked.opcode == IORING_OP_SEND ||
                         r.asked.opcode == IORING_OP_SENDMSG;
  return (r.on->status_flags & O_NONBLOCK) != 0 ||
         (on_socket && (r.asked.call_flags & MSG_DONTWAIT) != 0);
}

bool ring_file::has_buffer(const submission& asked) const {
  const auto it = buffers_.find(asked.buffer_group);
  // The tail: see struct io_uring_buf_ring.
  return it != buffers_.end() && it->second.entries[0].resv != it->second.head;
}

int ring_file::attempt(request& r, unsigned& flags) {
  if (r.guards != 0) return fire(r);
  if (r.asked.opcode == IORING_OP_TIMEOUT) return time_out(r);
  if (world().time.now() < r.earliest) return -EAGAIN;
  switch (r.asked.opcode) {
  case IORING_OP_ACCEPT: return accept(r, flags);
  case IORING_OP_CONNECT: return connect(r);
  case IORING_OP_RECV: return receive(r, flags);
  case IORING_OP_SEND:
  case IORING_OP_SENDMSG: return send(r);
  case IORING_OP_POLL_ADD: return poll(r, flags);
  case IORING_OP_READ:
  case IORING_OP_WRITE: return transfer(r);
  case IORING_OP_FSYNC: return static_cast<int>(r.on->sync());
  case IORING_OP_SHUTDOWN: return shut_down(r);
  case ring_op_fixed_fd_install: return install(r);
  default: return at_once(r.asked);
  }
}

int ring_file::at_once(const submission& asked) {
  switch (asked.opcode) {
  case IORING_OP_ASYNC_CANCEL: return cancel(asked);
  case IORING_OP_POLL_REMOVE: return remove(asked, IORING_OP_POLL_ADD);
  case IORING_OP_TIMEOUT_REMOVE: return remove(asked, IORING_OP_TIMEOUT);
  case IORING_OP_FILES_UPDATE: return put_into_slots(asked);
  case IORING_OP_CLOSE: return close(asked);
  default: return 0;  // NOP
  }
}

int ring_file::accept(request& r, unsigned& flags) {
  auto* const s = dynamic_cast<any_socket*>(r.on.get());
  if (!s) return -ENOTSOCK;
  if (const int bad = s->may_accept(true); bad < 0) return bad;
  if ((s->readiness() & POLLIN) == 0) return -EAGAIN;
  const bool into_slot = r.asked.file_index != 0;
  if (!into_slot && !files_.has_room()) return -EMFILE;
  if (wrong(fault_kind::no_memory)) return -ENOMEM;
  if (wrong(fault_kind::abort_accept)) return -ECONNABORTED;
  const auto child = s->accept();
  if (r.asked.call_flags & SOCK_NONBLOCK) child->status_flags |= O_NONBLOCK;
  if (is_multishot(r.asked) && has_room()) flags |= IORING_CQE_F_MORE;
  return add(r.asked, child);
}

int ring_file::connect(request& r) {
  auto* const s = dynamic_cast<any_socket*>(r.on.get());
  if (!s) return -ENOTSOCK;
  address to;
  const auto* const at = reinterpret_cast<const sockaddr*>(r.asked.address);
  if (leads_nowhere(at, static_cast<socklen_t>(r.asked.offset))) return s->disconnect();
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
  auto* const s = dynamic_cast<any_socket*>(r.on.get());
  if (!s) return -ENOTSOCK;
  if ((s->readiness() & (POLLIN | POLLERR | POLLHUP)) == 0) return -EAGAIN;
  // A signal has met the worker that does it.
  if (!is_multishot(r.asked) && wrong(fault_kind::interrupt)) return -EINTR;
  if (r.asked.has(IOSQE_BUFFER_SELECT)) return receive_into_group(r, *s, flags);
  return static_cast<int>(
      s->receive(room_of(r.asked), static_cast<int>(r.asked.call_flags), nullptr));
}

int ring_file::receive_into_group(request& r, any_socket& s, unsigned& flags) {
  if (!has_buffer(r.asked)) return -ENOBUFS;
  buffers& group = buffers_.at(r.asked.buffer_group);
  io_uring_buf& buffer = group.entries[group.head % group.count];
  const std::size_t most = r.asked.bytes == 0 ? buffer.len : std::min(r.asked.bytes, buffer.len);
  const long n = s.receive({reinterpret_cast<std::byte*>(buffer.addr), most}, 0, nullptr);
  // At the end of a stream some kernels use a buffer up, and others do not.
  if (n > 0 || (n == 0 && group.line == 0 && world().random.below(2) == 0)) {
    flags = IORING_CQE_F_BUFFER | (unsigned{buffer.bid} << IORING_CQE_BUFFER_SHIFT);
    flags |= use_up(group, static_cast<std::uint32_t>(n));
    if (group.line != 0) r.line = group.line_of(is_multishot(r.asked)), r.alone = false;
  }
  if (n > 0 && is_multishot(r.asked) && has_room()) flags |= IORING_CQE_F_MORE;
  return static_cast<int>(n);
}

// IOU_PBUF_RING_INC: what is left of a buffer stays the next to be filled.
unsigned ring_file::use_up(buffers& group, std::uint32_t bytes) noexcept {
  io_uring_buf& buffer = group.entries[group.head % group.count];
  if (group.line != 0 && bytes < buffer.len) {
    buffer.addr += bytes;
    buffer.len -= bytes;
    return ring_buffer_has_more;
  }
  ++group.head;
  return 0;
}

int ring_file::send(request& r) {
  auto* const s = dynamic_cast<any_socket*>(r.on.get());
  if (!s) return -ENOTSOCK;
  if ((s->readiness() & POLLOUT) != 0 && wrong(fault_kind::no_memory)) return -ENOBUFS;
  if (const int bad = s->prepare_to_send(); bad < 0) return bad;
  if (r.asked.opcode == IORING_OP_SEND) return static_cast<int>(s->send(room_of(r.asked), nullptr));
  return static_cast<int>(s->send(joined(r.pieces), nullptr));
}

int ring_file::shut_down(const request& r) {
  auto* const s = dynamic_cast<any_socket*>(r.on.get());
  return s ? s->shutdown(static_cast<int>(r.asked.bytes)) : -ENOTSOCK;
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

int ring_file::poll(request& r, unsigned& flags) const {
  const int bits = r.on->readiness() & (static_cast<int>(r.asked.call_flags) | POLLERR | POLLHUP);
  if (bits == 0) return -EAGAIN;
  if (!r.changes) return bits;
  if (!std::exchange(r.changes->untold, false)) return -EAGAIN;
  if (has_room()) flags |= IORING_CQE_F_MORE;
  return bits;
}

}  // namespace iolite::simulated

// See submissions.hpp.
#include "engines/io_uring/submissions.hpp"

#include "base/assert.hpp"
#include "core/perform.hpp"
#include "engines/io_uring/buffer_ring.hpp"
#include "engines/io_uring/direct_files.hpp"
#include "engines/io_uring/gather_room.hpp"

#include <sys/socket.h>

namespace iolite::submissions {
namespace {

void fill_transfer(io_uring_sqe& sqe, std::uint8_t opcode, const operation& op) noexcept {
  sqe.opcode = opcode;
  sqe.addr = reinterpret_cast<std::uint64_t>(op.payload.bytes + op.moved);
  sqe.len = static_cast<unsigned>(left_of(op));
}

void fill_receive(io_uring_sqe& sqe, const operation& op, bool lends) noexcept {
  // Before 5.19, and where none is left to lend: wait for data, then find room.
  if (op.picks_buffer && !lends) return fill_poll(sqe, POLLIN);
  fill_transfer(sqe, IORING_OP_RECV, op);
  if (op.picks_buffer) {
    sqe.addr = 0;
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = buffer_ring::single;
  }
}

}  // namespace

void fill(io_uring_sqe& sqe, const operation& op, ways w) noexcept {
  direct_files::name(sqe, op.fd);
  switch (op.kind) {
  case op_kind::accept:
    sqe.opcode = IORING_OP_ACCEPT;
    if (w.into_slot) direct_files::bring_into_slot(sqe);
    else sqe.accept_flags = SOCK_CLOEXEC;
    break;
  case op_kind::connect:
    sqe.opcode = IORING_OP_CONNECT;
    sqe.addr = reinterpret_cast<std::uint64_t>(op.payload.address);
    sqe.off = op.size;
    break;
  case op_kind::recv: fill_receive(sqe, op, w.lends); break;
  case op_kind::send:
    if (op.gathers) w.pieces.fill(w.to, sqe, op);
    else fill_transfer(sqe, IORING_OP_SEND, op);
    sqe.msg_flags = MSG_NOSIGNAL;
    break;
  case op_kind::read:
  case op_kind::write:
    fill_transfer(sqe, op.kind == op_kind::read ? IORING_OP_READ : IORING_OP_WRITE, op);
    sqe.off = op.offset + op.moved;
    break;
  case op_kind::sync: sqe.opcode = IORING_OP_FSYNC; break;
  case op_kind::send_file:  // there is no submission for it: only the wait is one
  case op_kind::ready: fill_poll(sqe, static_cast<unsigned>(poll_bits(interest_of(op)))); break;
  case op_kind::sleep:
  case op_kind::event: detail::rule_broken("sleep and event are the engine's own");
  }
}

void fill_poll(io_uring_sqe& sqe, unsigned events) noexcept {
  sqe.opcode = IORING_OP_POLL_ADD;
  sqe.poll32_events = events;
}

void fill_cancel(io_uring_sqe& sqe, std::uint64_t tag) noexcept {
  sqe.opcode = IORING_OP_ASYNC_CANCEL;
  sqe.fd = -1;
  sqe.addr = tag;
}

}  // namespace iolite::submissions

// io_uring(7): R. Stevens' fifth model, asynchronous I/O. The kernel does both phases.
//
// The idea: an operation's address is the user_data of its submission; one io_uring_enter(2) a turn
// hands over what was started and brings what is done. Receives are single-shot, submitted after
// the coroutine has asked, a part of them each turn: by then the next request has often arrived, so
// that no poll is armed inside the kernel. See held_back.hpp.
//
// Tags: user_data is the address (47 bits) and, above it, the operation's start number, so that
// neither a late completion nor a late cancel can mean a later start at the same address.
#include "core/assert.hpp"
#include "core/perform.hpp"
#include "engines/buffer_ring.hpp"
#include "engines/direct_files.hpp"
#include "engines/gather_room.hpp"
#include "engines/held_back.hpp"
#include "engines/ring.hpp"
#include "engines/wake.hpp"
#include "iolite/buffer.hpp"
#include "iolite/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <vector>

namespace iolite {
namespace {

constexpr std::uint64_t tag_ignored = 0;  // cancels
constexpr std::uint64_t tag_wake = 1;  // below any address
constexpr std::uint64_t tag_at_once = 2;

std::uint64_t tag_of(const operation& op) noexcept {
  return reinterpret_cast<std::uint64_t>(&op) | (std::uint64_t{op.tag} << 48);
}

class io_uring_engine final : public engine {
 public:
  io_uring_engine(kernel& os, wake_descriptor w)
      : engine(os), wake_(std::move(w)), ring_(os), leased_(os) {}
  ~io_uring_engine() override {
    if (buffer_pool* p = leased_.is_open() ? buffers() : nullptr) leased_.close(ring_, *p);
    shut_down();
  }

  // The best ring this kernel makes: each flag is tried and given up by itself.
  //   DEFER_TASKRUN, SINGLE_ISSUER (6.1, 6.0): completions are made when we enter
  //   COOP_TASKRUN (5.19): at least no interrupts between processors
  //   R_DISABLED: the thread that first uses the ring becomes its owner
  int open(unsigned entries, unsigned direct_descriptors) noexcept {
    constexpr unsigned wanted[] = {IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED |
                                       IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                   IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN,
                                   IORING_SETUP_CLAMP};
    int r = -EINVAL;
    for (const unsigned flags : wanted) {
      r = ring_.open(entries, flags);
      if (r != -EINVAL) break;
    }
    if (r < 0) return r;
    // A time-out in io_uring_enter itself: Linux 5.11, which also has all the operations used here.
    if ((ring_.features() & IORING_FEAT_EXT_ARG) == 0) return -ENOSYS;
    enabled_ = (ring_.flags() & IORING_SETUP_R_DISABLED) == 0;
    return direct_descriptors > 0 ? directs_.open(ring_, direct_descriptors) : 0;
  }
  std::string_view name() const noexcept override { return "io_uring"; }
  engine_traits traits() const noexcept override {
    return {.picks_buffer = true, .own_descriptors = directs_.is_open(), .files = true};
  }
  bool defers() const noexcept { return (ring_.flags() & IORING_SETUP_DEFER_TASKRUN) != 0; }

 private:
  started do_start(operation& op) noexcept override {
    if (!make_room() || (op.picks_buffer && !prepare_buffers()) ||
        (op.gathers && !pieces_.prepare(ring_))) {
      op.outcome = -ENOMEM;
      return started::done;
    }
    if (op.kind == op_kind::send_file) {  // there is no submission for it: only the wait is one
      op.outcome = perform_exposed(*this, op);
      if (op.outcome != -EAGAIN) return started::done;
    }
    if (brings_direct(op) && !directs_.reserve()) {
      op.outcome = -ENFILE;
      return started::done;
    }
    ++in_flight_;
    if (op.kind == op_kind::recv) receives_.add(op);
    else hand_over(op);
    return started::pending;
  }

  void hand_over(const operation& op) noexcept {
    io_uring_sqe* sqe = take();
    fill(*sqe, op);
    sqe->user_data = tag_of(op);
  }

  // Every completion that may come has a place where it can be set aside: two for an operation, it
  // may be cancelled, and one for the wake-up. False: no memory.
  bool make_room() noexcept {
    const std::size_t needed = 2 * (in_flight_ + 1) + 1;
    if (held_.capacity() >= needed) return true;
    try {
      held_.reserve(2 * needed);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  void fill(io_uring_sqe& sqe, const operation& op) noexcept {
    direct_files::name(sqe, op.fd);
    switch (op.kind) {
    case op_kind::accept:
      sqe.opcode = IORING_OP_ACCEPT;
      if (brings_direct(op)) direct_files::bring_into_slot(sqe);
      else sqe.accept_flags = SOCK_CLOEXEC;
      break;
    case op_kind::connect:
      sqe.opcode = IORING_OP_CONNECT;
      sqe.addr = reinterpret_cast<std::uint64_t>(op.data);
      sqe.off = op.size;
      break;
    case op_kind::recv: fill_receive(sqe, op); break;
    case op_kind::send:
      if (op.gathers) pieces_.fill(ring_, sqe, op);
      else fill_transfer(sqe, IORING_OP_SEND, op);
      sqe.msg_flags = MSG_NOSIGNAL;
      break;
    case op_kind::read:
    case op_kind::write:
      fill_transfer(sqe, op.kind == op_kind::read ? IORING_OP_READ : IORING_OP_WRITE, op);
      sqe.off = op.offset + op.moved;
      break;
    case op_kind::sync: sqe.opcode = IORING_OP_FSYNC; break;
    case op_kind::send_file:
    case op_kind::ready:
      sqe.opcode = IORING_OP_POLL_ADD;
      sqe.poll32_events = static_cast<unsigned>(poll_bits(interest_of(op)));
      break;
    case op_kind::sleep:
    case op_kind::event: detail::rule_broken("sleep and event are the engine's own");
    }
  }

  void fill_receive(io_uring_sqe& sqe, const operation& op) noexcept {
    if (op.picks_buffer && !leased_.is_open()) {  // before 5.19: wait for data, then take a buffer
      sqe.opcode = IORING_OP_POLL_ADD;
      sqe.poll32_events = POLLIN;
      return;
    }
    fill_transfer(sqe, IORING_OP_RECV, op);
    if (op.picks_buffer) {
      sqe.addr = 0;
      sqe.flags |= IOSQE_BUFFER_SELECT;
      sqe.buf_group = buffer_ring::group;
    }
  }

  static void fill_transfer(io_uring_sqe& sqe, std::uint8_t opcode, const operation& op) noexcept {
    sqe.opcode = opcode;
    sqe.addr = reinterpret_cast<std::uint64_t>(op.data + op.moved);
    sqe.len = left_of(op);
  }

  static unsigned left_of(const operation& op) noexcept {
    return static_cast<unsigned>(std::min<std::size_t>(op.size - op.moved, INT_MAX & ~4095));
  }

  bool prepare_buffers() noexcept {
    buffer_pool* const pool = buffers();
    if (!pool) return false;
    if (!leased_.tried()) {
      enable();
      leased_.open(ring_, *pool);
    }
    if (leased_.is_open()) leased_.stock(*pool);
    return true;
  }

  // A request, not an answer: `op` and its buffer stay the kernel's until op's own completion
  // comes. Cancels are filled in only for operations still pending and one thread fills the ring,
  // so the cancel stands before any later start at the same address.
  void do_cancel(operation& op) noexcept override {
    if (receives_.remove(op)) hand_over(op);  // it takes what is there, as every other
    io_uring_sqe* sqe = take();
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = tag_of(op);
    sqe->user_data = tag_ignored;
  }

  // What names the descriptor must be in the kernel's hands before the number can be used again.
  void do_forget(int) noexcept override {
    if (ring_.unsubmitted() > 0) submit();
  }

  // --- direct descriptors ---

  [[nodiscard]] bool brings_direct(const operation& op) const noexcept {
    return op.kind == op_kind::accept && directs_.is_open() && !op.gives_blocking;
  }

  void do_close(int fd) noexcept override {
    if (!direct::is(fd)) {
      do_forget(fd);
      os().close(fd);
      return;
    }
    io_uring_sqe* sqe = take();  // behind what names the slot, before what is brought into it
    direct_files::fill_close(*sqe, fd);
    sqe->user_data = tag_ignored;
    directs_.give_back();
    if (!running()) submit();
  }

  int do_adopt(int fd) noexcept override {
    const auto ask = [this](auto fill) { return result_at_once(fill); };
    return directs_.is_open() ? directs_.adopt(os(), fd, ask) : fd;
  }

  int do_expose(int fd) noexcept override {
    if (!direct::is(fd)) return fd;
    return result_at_once([fd](io_uring_sqe& sqe) { direct_files::fill_expose(sqe, fd); });
  }

  // Of a request that the kernel does without waiting. Other completions are set aside.
  template <class Fill>
  int result_at_once(Fill fill) noexcept {
    if (!make_room()) return -ENOMEM;
    io_uring_sqe* sqe = take();
    fill(*sqe);
    sqe->user_data = tag_at_once;
    enable();
    for (;;) {
      check(ring_.enter(1, nullptr));
      while (const io_uring_cqe* front = ring_.front()) {
        const io_uring_cqe cqe = *front;
        ring_.pop();
        if (cqe.user_data == tag_at_once) return cqe.res;
        held_.push_back(cqe);
      }
    }
  }

  void do_flush() noexcept override {
    if (ring_.unsubmitted() > 0) submit();
  }

  void do_wait(clock::time_point until) noexcept override {
    if (!wake_armed_) arm_wake();
    enable();
    for (std::size_t n = receives_.due(); n > 0; --n) hand_over(receives_.take());
    clock::duration left = clock::duration::zero();
    if (until != clock::time_point::min() && until != never) {
      left = std::max(until - now(), clock::duration::zero());
    }
    const bool wait = (until == never || left > clock::duration::zero()) && receives_.empty() &&
                      held_.empty() && !ring_.front();
    const timespec ts{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    check(ring_.enter(wait ? 1 : 0, until == never ? nullptr : &ts));
    reap();
  }

  void reap() noexcept {
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const io_uring_cqe cqe = held_[i];
      if (i + 4 < held_.size()) expect(held_[i + 4]);
      dispatch(cqe);
    }
    held_.clear();
    while (const io_uring_cqe* front = ring_.front()) {
      const io_uring_cqe cqe = *front;
      ring_.pop();  // before its operation may submit: there must be room for what that brings
      dispatch(cqe);
    }
  }

  static operation* operation_of(const io_uring_cqe& cqe) noexcept {
    return reinterpret_cast<operation*>(cqe.user_data & ((std::uint64_t{1} << 48) - 1));
  }

  // After thousands of others an operation is in no cache any more.
  static void expect(const io_uring_cqe& cqe) noexcept {
    if (cqe.user_data <= tag_wake) return;
    const auto* const op = reinterpret_cast<const std::byte*>(operation_of(cqe));
    __builtin_prefetch(op, 1);
    __builtin_prefetch(op + 64, 1);
  }

  void dispatch(const io_uring_cqe& cqe) noexcept {
    if (cqe.user_data == tag_ignored) return;
    if (cqe.user_data == tag_wake) {
      wake_armed_ = false;
      wake_.drain();
      return;
    }
    operation& op = *operation_of(cqe);
    IOLITE_ASSERT(op.tag == cqe.user_data >> 48, "a completion belongs to the start it is for");
    --in_flight_;
    const int r = result_of(op, cqe);
    // A signal met the call in one of the kernel's workers: it has done nothing.
    if (r != -EINTR) finish(op, r);
    else if (op.cancel_requested) finish(op, -ECANCELED);
    else if (do_start(op) == started::done) finish(op, op.outcome);
  }

  int result_of(operation& op, const io_uring_cqe& cqe) noexcept {
    if (op.kind == op_kind::ready && cqe.res > 0) {
      return static_cast<int>(from_poll_bits(cqe.res, op.wanted));
    }
    if (op.kind == op_kind::send_file && cqe.res > 0) return -EINTR;  // there is room: once more
    if (brings_direct(op)) {
      if (cqe.res >= 0) return direct::number_of(cqe.res);
      directs_.give_back();
    }
    if (!op.picks_buffer) return cqe.res;
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
      std::byte* const data = leased_.taken(*buffers(), cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      if (cqe.res > 0) op.data = data;
      else buffers()->give(data);
      return cqe.res;
    }
    if (leased_.is_open() || cqe.res <= 0) return cqe.res;
    const int r = perform_exposed(*this, op);  // the poll said that there is something
    return r == -EAGAIN ? -ENOBUFS : r;  // there was not: goes round once more
  }

  void do_wake() noexcept override { wake_.signal(); }

  void arm_wake() noexcept {
    io_uring_sqe* sqe = take();
    sqe->opcode = IORING_OP_POLL_ADD;  // not a read: no buffer outlives the engine
    sqe->fd = wake_.fd();
    sqe->poll32_events = POLLIN;
    sqe->user_data = tag_wake;
    wake_armed_ = true;
  }

  void enable() noexcept {
    if (enabled_) return;
    const int r = ring_.register_with(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    enabled_ = r == 0;
    check(r);
  }

  void submit() noexcept {
    enable();
    check(ring_.enter(0, nullptr));
  }

  // Always gives an entry: a full queue is handed over first. Completions are set aside before, as
  // this may be in the middle of handling one: for those that have no room the kernel would need
  // memory, and take nothing more (EBUSY).
  io_uring_sqe* take() noexcept {
    for (;;) {
      if (io_uring_sqe* sqe = ring_.next()) return sqe;
      while (const io_uring_cqe* cqe = ring_.front()) {
        held_.push_back(*cqe);
        ring_.pop();
      }
      submit();
    }
  }

  // What io_uring_enter(2) may say without being broken; a fault that stays ends the program, since
  // nothing can complete any more.
  void check(int r) noexcept {
    if (r >= 0 || r == -ETIME || r == -EINTR || r == -EBUSY) return void(failures_ = 0);
    IOLITE_ASSERT(r != -EBADR, "the kernel has lost completions for want of memory");
    IOLITE_ASSERT(++failures_ < 1000, "io_uring_enter fails and goes on failing");
  }

  wake_descriptor wake_;
  ring ring_;
  buffer_ring leased_;
  direct_files directs_;
  held_back receives_;
  std::vector<io_uring_cqe> held_;  // collected, not yet dispatched: see make_room()
  gather_room pieces_;
  std::size_t in_flight_ = 0;
  bool wake_armed_ = false;
  bool enabled_ = true;
  int failures_ = 0;  // in a row
};

}  // namespace

made_engine make_io_uring(kernel& os, unsigned entries, unsigned direct_descriptors) {
  wake_descriptor wake(os);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  auto it = std::make_unique<io_uring_engine>(os, std::move(wake));
  const int r = it->open(std::clamp(entries, 2U, 4096U), direct_descriptors);
  if (r < 0) return {nullptr, r};
  return {std::move(it), 0};
}

}  // namespace iolite

// io_uring(7): R. Stevens' fifth model, asynchronous I/O. The kernel does both phases.
//
// The idea: an operation's address is the user_data of its submission; one io_uring_enter(2) a turn
// hands over what was started and brings what is done. Receives are single-shot, submitted after
// the coroutine has asked, a part of them each turn: by then the next request has often arrived, so
// that no poll is armed inside the kernel, see held_back.hpp. An accept stands for its listener:
// see standing_accepts.hpp.
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
#include "engines/standing_accepts.hpp"
#include "engines/submissions.hpp"
#include "engines/wake.hpp"
#include "iolite/buffer.hpp"
#include "iolite/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

namespace iolite {
namespace {

constexpr std::uint64_t tag_ignored = 0;  // cancels
constexpr std::uint64_t tag_wake = 1;  // below any address
constexpr std::uint64_t tag_at_once = 2;
constexpr std::uint64_t addresses = 4096;  // no object lies below

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

  int open(unsigned entries, unsigned direct_descriptors) noexcept {
    const int r = ring_.open_best(entries);
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

 private:
  using listening = standing_accepts::listening;

  started do_start(operation& op) noexcept override {
    if (op.kind == op_kind::accept && !brings_direct(op)) {
      if (listening* l = standing_.find(op)) return stand_for(*l, op);
    }
    if (!make_room() || (op.picks_buffer && !prepare_buffers()) ||
        (op.gathers && !pieces_.prepare(ring_))) {
      op.outcome = -ENOMEM;
      return started::done;
    }
    if (op.kind == op_kind::send_file) {
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
    submissions::fill(*sqe, op, {ring_, pieces_, brings_direct(op), leased_.is_open()});
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
    if (listening* l = op.kind == op_kind::accept ? standing_.find(op.fd) : nullptr;
        l && l->asks == &op) {
      l->asks = nullptr;
      return finish(op, -ECANCELED);
    }
    if (receives_.remove(op)) hand_over(op);  // it takes what is there, as every other
    ask_to_end(tag_of(op));
  }

  void ask_to_end(std::uint64_t tag) noexcept {
    io_uring_sqe* sqe = take();
    submissions::fill_cancel(*sqe, tag);
    sqe->user_data = tag_ignored;
  }

  // What names the descriptor must be in the kernel's hands before the number can be used again.
  void do_forget(int fd) noexcept override {
    if (listening* l = standing_.find(fd)) {
      end_now(*l);
      standing_accepts::forget(os(), *l);
    }
    if (ring_.unsubmitted() > 0) submit();
  }

  // --- accepts that stand: see standing_accepts.hpp ---

  started stand_for(listening& l, operation& op) noexcept {
    op.outcome = standing_accepts::take(l);
    if (op.outcome != -EAGAIN) return started::done;
    l.asks = &op;
    if (l.stands) return started::pending;
    io_uring_sqe* sqe = take();
    standing_accepts::fill(*sqe, l);
    sqe->user_data = standing_.tag(l);
    l.stands = true;
    return started::pending;
  }

  // Something has come for it, or it stands no more.
  void settle(listening& l) noexcept {
    if (!l.asks || (l.stands && !l.has_news())) return;
    operation& op = *std::exchange(l.asks, nullptr);
    if (do_start(op) == started::done) finish(op, op.outcome);
  }

  void end_unasked(listening& l) noexcept {
    if (!l.stands || l.asks || l.ending) return;
    l.ending = true;
    l.asked = 0;
    ask_to_end(standing_.tag(l));
  }

  // While the kernel has it, the socket would stay open.
  void end_now(listening& l) noexcept {
    constexpr timespec soon{0, 10'000'000};
    while (l.stands) {
      ask_to_end(standing_.tag(l));
      enable();
      check(ring_.enter(1, &soon));
      set_aside();
    }
  }

  // --- direct descriptors ---

  [[nodiscard]] bool brings_direct(const operation& op) const noexcept {
    return op.kind == op_kind::accept && directs_.is_open() && !op.gives_blocking;
  }

  void do_close(int fd) noexcept override {
    if (!direct::is(fd)) return engine::do_close(fd);
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

  // Of a request that the kernel does without waiting.
  template <class Fill>
  int result_at_once(Fill fill) noexcept {
    if (!make_room()) return -ENOMEM;
    io_uring_sqe* sqe = take();
    fill(*sqe);
    sqe->user_data = tag_at_once;
    enable();
    for (;;) {
      check(ring_.enter(1, nullptr));
      if (const auto r = set_aside()) return *r;
    }
  }

  void do_flush() noexcept override {
    standing_.each([this](listening& l) { end_now(l); });
    if (ring_.unsubmitted() > 0) submit();
  }

  void do_wait(clock::time_point until) noexcept override {
    if (!wake_armed_) arm_wake();
    enable();
    standing_.each([this](listening& l) { end_unasked(l); });
    for (std::size_t n = receives_.due(); n > 0; --n) hand_over(receives_.take());
    clock::duration left = clock::duration::zero();
    if (until != clock::time_point::min() && until != never) {
      left = std::max(until - now(), clock::duration::zero());
    }
    const bool wait = (until == never || left > clock::duration::zero()) && receives_.empty() &&
                      held_.empty() && !standing_.has_news() && !ring_.front();
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
    if (standing_.use_news()) standing_.each([this](listening& l) { settle(l); });
  }

  // Completions that come in the middle of something. The result of what is done at once.
  std::optional<int> set_aside() noexcept {
    std::optional<int> at_once;
    while (const io_uring_cqe* front = ring_.front()) {
      const io_uring_cqe cqe = *front;
      ring_.pop();
      if (cqe.user_data == tag_at_once) at_once = cqe.res;
      else if (!note_accepted(cqe) && cqe.user_data != tag_ignored) held_.push_back(cqe);
    }
    return at_once;
  }

  // False: it is for something else.
  bool note_accepted(const io_uring_cqe& cqe) noexcept {
    if (!standing_accepts::is_tag(cqe.user_data)) return false;
    const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
    standing_.note(os(), standing_.of_tag(cqe.user_data), cqe.res, more);
    return true;
  }

  static operation* operation_of(const io_uring_cqe& cqe) noexcept {
    return reinterpret_cast<operation*>(cqe.user_data & ((std::uint64_t{1} << 48) - 1));
  }

  // After thousands of others an operation is in no cache any more.
  static void expect(const io_uring_cqe& cqe) noexcept {
    if (cqe.user_data < addresses) return;
    const auto* const op = reinterpret_cast<const std::byte*>(operation_of(cqe));
    __builtin_prefetch(op, 1);
    __builtin_prefetch(op + 64, 1);
  }

  void dispatch(const io_uring_cqe& cqe) noexcept {
    if (cqe.user_data == tag_ignored || note_accepted(cqe)) return;
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
    if (leased_.is_open()) {
      op.data = leased_.taken(*buffers(), cqe);
      if (cqe.res == -ENOBUFS) leased_.grow();
      return cqe.res;
    }
    if (cqe.res <= 0) return cqe.res;
    const int r = perform_exposed(*this, op);  // the poll said that there is something
    return r == -EAGAIN ? -ENOBUFS : r;  // there was not: goes round once more
  }

  void do_wake() noexcept override { wake_.signal(); }

  void arm_wake() noexcept {
    io_uring_sqe* sqe = take();
    submissions::fill_poll(*sqe, POLLIN);  // not a read: no buffer outlives the engine
    sqe->fd = wake_.fd();
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
      set_aside();
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
  standing_accepts standing_;
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

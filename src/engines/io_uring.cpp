// io_uring(7): R. Stevens' fifth model, asynchronous I/O. The kernel does both phases.
//
// The idea: an operation's address is the user_data of its submission; one io_uring_enter(2) a turn
// hands over what was started and brings what is done. Receives go a little after they were asked
// for, see held_back.hpp; those that have to wait stand, as accepts do: see standing_receives.hpp.
//
// Tags: user_data is the address (47 bits) and, above it, the operation's start number, so that
// neither a late completion nor a late cancel can mean a later start at the same address.
#include "core/assert.hpp"
#include "core/perform.hpp"
#include "engines/buffer_ring.hpp"
#include "engines/direct_files.hpp"
#include "engines/gather_room.hpp"
#include "engines/held_back.hpp"
#include "engines/pending_polls.hpp"
#include "engines/ring.hpp"
#include "engines/standing_accepts.hpp"
#include "engines/standing_receives.hpp"
#include "engines/submissions.hpp"
#include "engines/submitter.hpp"
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

std::uint64_t tag_of(const operation& op) noexcept {
  return reinterpret_cast<std::uint64_t>(&op) | (std::uint64_t{op.tag} << 48);
}

class io_uring_engine final : public engine, private submitter::owner {
 public:
  io_uring_engine(kernel& os, wake_descriptor w, const engine_options& o)
      : engine(os), wake_(std::move(w)), ring_(os), to_(ring_, *this),
        leased_(to_, *this, buffer_ring::single), accepts_(to_, os),
        arriving_(to_, *this, stats_, o.receives) {}
  ~io_uring_engine() override {
    arriving_.close();
    leased_.close();
    shut_down();
  }

  int open(unsigned entries, unsigned direct_descriptors) noexcept {
    const int r = ring_.open_best(entries);
    if (r < 0) return r;
    // A time-out in io_uring_enter itself: Linux 5.11, which also has all the operations used here.
    if ((ring_.features() & IORING_FEAT_EXT_ARG) == 0) return -ENOSYS;
    return direct_descriptors > 0 ? directs_.open(ring_, direct_descriptors) : 0;
  }
  std::string_view name() const noexcept override { return "io_uring"; }
  engine_traits traits() const noexcept override {
    return {.picks_buffer = true, .own_descriptors = directs_.is_open(), .files = true};
  }

  std::size_t arrived_ahead(int fd) noexcept override {
    arriving_.stop(fd);
    return arriving_.unread(fd);
  }

 private:
  started do_start(operation& op) noexcept override {
    if (op.kind == op_kind::accept && !brings_direct(op)) {
      if (const auto s = accepts_.start(op)) return *s;
    }
    if (op.kind == op_kind::recv || op.kind == op_kind::ready) {
      if (const auto s = arriving_.start(op)) return *s;
    }
    if (!make_room() || (op.picks_buffer && !leased_.prepare()) ||
        (op.gathers && !pieces_.prepare(ring_))) {
      op.outcome = -ENOMEM;
      return started::done;
    }
    if (op.kind == op_kind::send_file) {
      op.outcome = perform_exposed(*this, op);
      if (op.outcome != -EAGAIN) return started::done;
    }
    if (brings_direct(op) && !directs_.reserve()) return op.outcome = -ENFILE, started::done;
    ++in_flight_;
    if (op.kind == op_kind::recv) receives_.add(op);
    else hand_over(op);
    return started::pending;
  }

  void hand_over(operation& op) noexcept {
    if (op.kind == op_kind::recv) arriving_.handed_over(op);
    polls_.add(op);
    submissions::fill(to_.take(tag_of(op)), op,
                      {ring_, pieces_, brings_direct(op), leased_.lends()});
  }

  // A place to set aside each completion that may come: two for an operation, which may be
  // cancelled, and one for the wake-up. False: no memory.
  bool make_room() noexcept {
    const std::size_t needed = held_.size() + 2 * (in_flight_ + 1) + 1;
    if (held_.capacity() >= needed) return true;
    try {
      held_.reserve(2 * needed);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  // A request: `op` and its buffer stay the kernel's until op's own completion comes. One thread
  // fills the ring, so the cancel stands before any later start at the same address.
  void do_cancel(operation& op) noexcept override {
    if (accepts_.cancel(op)) return finish(op, -ECANCELED);
    if (const auto r = arriving_.cancel(op)) return finish(op, *r);
    if (receives_.remove(op)) hand_over(op);  // it takes what is there, as every other
    to_.ask_to_end(tag_of(op));
  }

  // What names the descriptor must be in the kernel's hands before the number can be used again.
  void do_forget(int fd) noexcept override {
    accepts_.forget(fd);
    arriving_.forget(fd);
    polls_.each_on(fd, [this](operation& op) { cancel(op); });
    to_.submit();
  }

  bool do_take_nothing_ahead(int fd) noexcept override {
    return !accepts_.stop(fd) && !arriving_.stop(fd);
  }

  // --- direct descriptors ---

  [[nodiscard]] bool brings_direct(const operation& op) const noexcept {
    return op.kind == op_kind::accept && directs_.is_open() && !op.gives_blocking;
  }

  void do_close(int fd) noexcept override {
    if (!direct::is(fd)) return engine::do_close(fd);
    arriving_.forget(fd);
    polls_.each_on(fd, [this](operation& op) { cancel(op); });
    // Behind what names the slot, before what is brought into it.
    direct_files::fill_close(to_.take(ring_tag::ignored), fd);
    directs_.give_back();
    if (!running()) to_.submit();
  }

  int do_adopt(int fd) noexcept override {
    const auto ask = [this](auto fill) { return make_room() ? to_.result_at_once(fill) : -ENOMEM; };
    return directs_.is_open() ? directs_.adopt(os(), fd, ask) : fd;
  }

  int do_expose(int fd) noexcept override {
    if (!direct::is(fd)) return fd;
    if (!make_room()) return -ENOMEM;
    return to_.result_at_once([fd](io_uring_sqe& sqe) { direct_files::fill_expose(sqe, fd); });
  }

  void do_flush() noexcept override {
    accepts_.end_all();
    arriving_.end_all();
    to_.submit();
  }

  void do_wait(clock::time_point until) noexcept override {
    if (!wake_armed_) arm_wake();
    accepts_.end_unasked();
    arriving_.begin_turn();
    for (std::size_t n = receives_.due(); n > 0; --n) hand_over(receives_.take());
    clock::duration left = clock::duration::zero();
    if (until != clock::time_point::min() && until != never) {
      left = std::max(until - now(), clock::duration::zero());
    }
    const bool wait = (until == never || left > clock::duration::zero()) && receives_.empty() &&
                      held_.empty() && !accepts_.has_news() && !arriving_.has_news() &&
                      !ring_.front();
    const timespec ts{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    to_.enter(wait ? 1 : 0, until == never ? nullptr : &ts);
    reap();
  }

  void reap() noexcept {
    for (;;) {
      dispatch_held();
      const io_uring_cqe* const front = ring_.front();
      if (!front) break;
      const io_uring_cqe cqe = *front;
      ring_.pop();  // before its operation may submit: there must be room for what that brings
      dispatch(cqe);
    }
    while (operation* op = accepts_.next()) start_again(*op);
    while (operation* op = arriving_.next()) start_again(*op);
  }

  // Those that were set aside are older than all in the ring: which bytes of a lent buffer each is
  // about, only their order tells. Handling one may set aside more.
  void dispatch_held() noexcept {
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const io_uring_cqe cqe = held_[i];
      if (i + 4 < held_.size()) expect(held_[i + 4]);
      dispatch(cqe);
    }
    held_.clear();
  }

  void start_again(operation& op) noexcept {
    if (do_start(op) == started::done) finish(op, op.outcome);
  }

  void set_aside(const io_uring_cqe& cqe) noexcept override {
    if (!is_over(cqe)) held_.push_back(cqe);
  }

  // It was ignored, or noted for who asks next.
  bool is_over(const io_uring_cqe& cqe) noexcept {
    return cqe.user_data == ring_tag::ignored || accepts_.note(cqe) || arriving_.note(cqe);
  }

  static operation* operation_of(const io_uring_cqe& cqe) noexcept {
    return reinterpret_cast<operation*>(cqe.user_data & ((std::uint64_t{1} << 48) - 1));
  }

  // After thousands of others an operation is in no cache any more.
  static void expect(const io_uring_cqe& cqe) noexcept {
    if (cqe.user_data < ring_tag::addresses) return;
    const auto* const op = reinterpret_cast<const std::byte*>(operation_of(cqe));
    __builtin_prefetch(op, 1);
    __builtin_prefetch(op + 64, 1);
  }

  void dispatch(const io_uring_cqe& cqe) noexcept {
    if (is_over(cqe)) return;
    if (cqe.user_data == ring_tag::wake) return wake_armed_ = false, wake_.drain();
    operation& op = *operation_of(cqe);
    IOLITE_ASSERT(op.tag == cqe.user_data >> 48, "a completion belongs to the start it is for");
    --in_flight_;
    polls_.remove(op);
    if (op.kind == op_kind::recv) arriving_.came_back(op);
    const int r = result_of(op, cqe);
    // A signal met the call in one of the kernel's workers: it has done nothing.
    if (r != -EINTR) finish(op, r);
    else if (op.cancel_requested) finish(op, -ECANCELED);
    else start_again(op);
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
    if (std::byte* const at = leased_.taken(cqe)) return op.data = at, cqe.res;
    if (cqe.res <= 0) return cqe.res;
    const int r = perform_exposed(*this, op);  // the poll said that there is something
    return r == -EAGAIN ? -ENOBUFS : r;  // there was not: goes round once more
  }

  void do_wake() noexcept override { wake_.signal(); }

  void arm_wake() noexcept {
    io_uring_sqe& sqe = to_.take(ring_tag::wake);
    submissions::fill_poll(sqe, POLLIN);  // not a read: no buffer outlives the engine
    sqe.fd = wake_.fd();
    wake_armed_ = true;
  }

  wake_descriptor wake_;
  ring ring_;
  submitter to_;
  buffer_ring leased_;
  direct_files directs_;
  held_back receives_;
  std::vector<io_uring_cqe> held_;  // collected, not yet dispatched: see make_room()
  gather_room pieces_;
  pending_polls polls_;
  standing_accepts accepts_;
  standing_receives arriving_;
  std::size_t in_flight_ = 0;
  bool wake_armed_ = false;
};

}  // namespace

made_engine make_io_uring(kernel& os, const engine_options& o) {
  wake_descriptor wake(os);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  auto it = std::make_unique<io_uring_engine>(os, std::move(wake), o);
  const int r = it->open(std::clamp(o.ring_entries, 2U, 4096U), o.direct_descriptors);
  if (r < 0) return {nullptr, r};
  return {std::move(it), 0};
}

}  // namespace iolite

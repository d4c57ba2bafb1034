// io_uring(7): R. Stevens' fifth model, asynchronous I/O. The kernel does both phases.
//
// The idea: an operation's address is the user_data of its submission; one io_uring_enter(2) per
// turn submits what was started and collects what has completed. Receives are submitted a little
// later than they are started (deferred_receives.hpp). Accepts, and receives on connections where
// they often have to wait, are multishot (multishot_receives.hpp).
//
// Tags: user_data is the address (47 bits) and, above it, the operation's start number, so that
// neither a late completion nor a late cancel can mean a later start at the same address.
#include "base/assert.hpp"
#include "core/perform.hpp"
#include "engines/io_uring/buffer_ring.hpp"
#include "engines/io_uring/deferred_receives.hpp"
#include "engines/io_uring/direct_files.hpp"
#include "engines/io_uring/gather_room.hpp"
#include "engines/io_uring/multishot/multishot_accepts.hpp"
#include "engines/io_uring/multishot/multishot_receives.hpp"
#include "engines/io_uring/pending_polls.hpp"
#include "engines/io_uring/ring.hpp"
#include "engines/io_uring/submissions.hpp"
#include "engines/io_uring/submitter.hpp"
#include "engines/made_engine.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/core/engine.hpp"
#include "pollers/poller.hpp"
#include "pollers/wake_descriptor.hpp"

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

class io_uring_engine final : public engine,
                              private descriptor_state,
                              private receive_backlog,
                              private submitter::owner {
 public:
  io_uring_engine(kernel& os, wake_descriptor w, const engine_options& o)
      : engine(os, {.descriptors = this, .backlog = this, .table = &directs_}), wake_(std::move(w)),
        ring_(os), to_(ring_, *this), leased_(to_, *this, buffer_ring::single), directs_(to_, os),
        accepts_(to_, os), multishot_receives_(to_, *this, stats_, o.receives) {}
  ~io_uring_engine() override {
    multishot_receives_.close();
    leased_.close();
    shut_down();
  }

  int open(unsigned entries, unsigned direct_descriptors) noexcept {
    const int r = ring_.open_best(entries);
    if (r < 0) return r;
    // A time-out in io_uring_enter itself: Linux 5.11, which also has all the operations used here.
    if ((ring_.features() & IORING_FEAT_EXT_ARG) == 0) return -ENOSYS;
    return direct_descriptors > 0 ? directs_.open(direct_descriptors) : 0;
  }
  std::string_view name() const noexcept override { return "io_uring"; }
  engine_traits traits() const noexcept override {
    return {.picks_buffer = true, .own_descriptors = directs_.is_open(), .files = true};
  }

 private:
  started do_start(operation& op) noexcept override {
    if (op.kind == op_kind::accept && !brings_direct(op)) {
      if (const auto s = accepts_.start(op)) return *s;
    }
    if (op.kind == op_kind::recv || op.kind == op_kind::ready) {
      if (const auto s = multishot_receives_.start(op)) return *s;
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
    if (op.kind == op_kind::recv) deferred_.add(op);
    else hand_over(op);
    return started::pending;
  }

  void hand_over(operation& op) noexcept {
    if (op.kind == op_kind::recv) multishot_receives_.handed_over(op);
    polls_.add(op);
    submissions::fill(to_.take(tag_of(op)), op,
                      {ring_, pieces_, brings_direct(op), leased_.lends()});
  }

  // A place to set aside each completion that may come: two for an operation, which may be
  // cancelled, and one for the wake-up. False: no memory.
  bool make_room() noexcept override {
    const std::size_t needed = collected_.size() + 2 * (in_flight_ + 1) + 1;
    if (collected_.capacity() >= needed) return true;
    try {
      collected_.reserve(2 * needed);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }

  // A request: `op` and its buffer stay the kernel's until op's own completion comes. One thread
  // fills the ring, so the cancel stands before any later start at the same address.
  void do_cancel(operation& op) noexcept override {
    if (accepts_.cancel(op)) return finish(op, -ECANCELED);
    if (const auto r = multishot_receives_.cancel(op)) return finish(op, *r);
    if (deferred_.remove(op)) hand_over(op);  // like any other, it takes what is there
    to_.ask_to_end(tag_of(op));
  }

  bool has_turns() const noexcept override { return running(); }

  // What names the descriptor must be in the kernel's hands before the number can be used again.
  // A direct one is closed by the kernel too, behind it.
  void forget(int fd) noexcept override {
    accepts_.forget(fd);
    multishot_receives_.forget(fd);
    polls_.each_on(fd, [this](operation& op) { cancel(op); });
    if (!direct::is(fd)) to_.submit();
  }

  bool stop(int fd) noexcept override {
    return !accepts_.stop(fd) && !multishot_receives_.stop(fd);
  }

  std::size_t stop_and_count(int fd) noexcept override {
    multishot_receives_.stop(fd);
    return multishot_receives_.unread(fd);
  }

  void stop_all() noexcept override {
    accepts_.end_all();
    multishot_receives_.end_all();
    to_.submit();
  }

  [[nodiscard]] bool brings_direct(const operation& op) const noexcept {
    return op.kind == op_kind::accept && directs_.is_open() && !op.gives_blocking;
  }

  void do_wait(clock::time_point until) noexcept override {
    if (!wake_armed_) arm_wake();
    accepts_.end_unasked();
    multishot_receives_.begin_turn();
    for (std::size_t n = deferred_.due(); n > 0; --n) hand_over(deferred_.take());
    const clock::duration left = time_until(until);
    const bool wait = left > clock::duration::zero() && deferred_.empty() && collected_.empty() &&
                      !accepts_.has_news() && !multishot_receives_.has_news() && !ring_.front();
    const timespec ts = to_timespec(left);
    to_.enter(wait ? 1 : 0, left == for_ever ? nullptr : &ts);
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
    while (operation* op = multishot_receives_.next()) start_again(*op);
  }

  // Those that were set aside are older than all in the ring: which bytes of a lent buffer each is
  // about, only their order tells. Handling one may set aside more.
  void dispatch_held() noexcept {
    for (std::size_t i = 0; i < collected_.size(); ++i) {
      const io_uring_cqe cqe = collected_[i];
      if (i + 4 < collected_.size()) expect(collected_[i + 4]);
      dispatch(cqe);
    }
    collected_.clear();
  }

  void start_again(operation& op) noexcept {
    if (do_start(op) == started::done) finish(op, op.outcome);
  }

  void set_aside(const io_uring_cqe& cqe) noexcept override {
    if (!is_over(cqe)) collected_.push_back(cqe);
  }

  // It was ignored, or kept for the next operation.
  bool is_over(const io_uring_cqe& cqe) noexcept {
    return cqe.user_data == ring_tag::ignored || accepts_.note(cqe) ||
           multishot_receives_.note(cqe);
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
    if (op.kind == op_kind::recv) multishot_receives_.came_back(op);
    const int r = result_of(op, cqe);
    // A signal met the call in one of the kernel's workers: it has done nothing.
    if (r != -EINTR) finish(op, r);
    else if (op.cancel_requested) finish(op, -ECANCELED);
    else start_again(op);
  }

  int result_of(operation& op, const io_uring_cqe& cqe) noexcept {
    if (op.kind == op_kind::ready && cqe.res > 0) {
      return static_cast<int>(from_poll_bits(cqe.res) & op.wanted);
    }
    if (op.kind == op_kind::send_file && cqe.res > 0) return -EINTR;  // there is room: once more
    if (brings_direct(op)) {
      if (cqe.res >= 0) return direct::number_of(cqe.res);
      directs_.give_back();
    }
    if (!op.picks_buffer) return cqe.res;
    if (std::byte* const at = leased_.taken(cqe)) return op.payload = at, cqe.res;
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
  deferred_receives deferred_;
  std::vector<io_uring_cqe> collected_;  // collected, not yet dispatched: see make_room()
  gather_room pieces_;
  pending_polls polls_;
  multishot_accepts accepts_;
  multishot_receives multishot_receives_;
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

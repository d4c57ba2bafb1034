// POSIX asynchronous I/O on sockets: aio(7), aio_read(3). glibc's is a few helper threads.
//
// The idea: poll(2) says when a descriptor is ready, then a helper makes the copy and reports it
// done. A helper could wait for the data too, but then it could not be given up: aio_cancel(3) says
// AIO_NOTCANCELED for a read of a silent socket, and twenty silent peers would hold all the
// helpers. Sockets are non-blocking, so a helper never waits; EAGAIN goes back to poll(2).
#include "base/assert.hpp"
#include "core/gather.hpp"
#include "core/perform.hpp"
#include "core/process.hpp"
#include "engines/made_engine.hpp"
#include "engines/slot_table.hpp"
#include "engines/waiting_list.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/core/engine.hpp"
#include "pollers/poller.hpp"
#include "pollers/wake_descriptor.hpp"

#include <aio.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <vector>

namespace iolite {
namespace {

// glibc's helpers are threads, and those of the parent are not in the child of a fork; the library
// there does not know. 1 + the fork_count() of the process that first used them; 0: nobody did.
std::atomic<unsigned> helpers_of = 0;

bool has_helpers(kernel& os) noexcept { return &os.undecorated() == &kernel::real(); }

class posix_aio_engine final : public engine, private descriptor_state {
 public:
  posix_aio_engine(kernel& os, std::unique_ptr<poller> p, wake_descriptor w)
      : engine(os, {.descriptors = this}), poller_(std::move(p)), wake_(std::move(w)) {}
  ~posix_aio_engine() override { shut_down(); }

  int prepare() noexcept {
    if (!slots_.get(wake_.fd())) return -ENOMEM;
    return poller_->update({wake_.fd(), 0}, interest::none, interest::read);
  }
  std::string_view name() const noexcept override { return "posix_aio"; }
  engine_traits traits() const noexcept override {
    return {.needs_nonblocking = true, .files = true, .after_fork = false};
  }

 private:
  struct slot {
    waiting_both waiting;
    interest watched = interest::none;
  };
  // A copy in a helper's hands. Few are enough: each takes microseconds.
  struct copy {
    operation* op = nullptr;
    std::unique_ptr<aiocb> control = std::make_unique<aiocb>();
  };

  static started done(operation& op, int r) noexcept { return op.outcome = r, started::done; }

  // Files and sends are tried at once, the others wait for their descriptor first.
  started do_start(operation& op) noexcept override {
    if (!is_for_a_file(op) && !slots_.get(op.fd)) return done(op, -ENOMEM);
    if (!traits_of(op.kind).tried_first) return park(op);
    if (request_of(op.kind)) return hand_over(op);
    const int r = perform_on(*this, op, wait_in_call::no);
    return r == -EAGAIN ? park(op) : done(op, r);
  }

  static bool is_for_a_file(const operation& op) noexcept {
    return traits_of(op.kind).target == op_target::file;
  }

  started park(operation& op) noexcept {
    slot& s = at(op.fd);
    const interest want = interest_of(op);
    s.waiting.add(op, want);
    const int r = watch_only(op.fd, s.watched | want);
    if (r == 0) return started::pending;
    unpark(op);
    return done(op, r);
  }

  // It stays watched, since it will mostly be waited for again; but a foreign one may be closed
  // without our knowledge.
  void unpark(const operation& op) noexcept {
    slot& s = at(op.fd);
    s.waiting.remove(op);
    if (op.kind == op_kind::ready) static_cast<void>(watch_only(op.fd, s.waiting.wanted()));
  }

  int watch_only(int fd, interest want) noexcept {
    slot& s = at(fd);
    if (want == s.watched) return 0;
    const int r = poller_->update({fd, 0}, s.watched, want);
    if (r == 0) s.watched = want;
    return r;
  }

  // Phase 2: a free control block, or again in the next turn, when some will be free.
  started hand_over(operation& op) noexcept {
    copy* const c = free_copy();
    if (!c) return continue_later(op), started::pending;
    std::size_t room = op.size - op.moved;
    if (op.picks_buffer) {
      buffer_pool* const pool = buffers();
      if (!pool) return done(op, -ENOMEM);
      const auto into = pool->alone_for(op.fd);
      if (into.empty()) return done(op, -ENOBUFS);
      op.payload.bytes = into.data();
      room = std::min(room, into.size());
    }
    *c->control = aiocb{};
    c->control->aio_fildes = op.fd;
    if (is_for_a_file(op)) c->control->aio_offset = static_cast<off_t>(op.offset + op.moved);
    // There is no vectored request: one piece after the other.
    const auto left =
        op.gathers ? next_piece(op) : std::span<const std::byte>(op.payload.bytes + op.moved, room);
    c->control->aio_buf = const_cast<std::byte*>(left.data());
    c->control->aio_nbytes = std::min<std::size_t>(left.size(), INT32_MAX & ~4095);
    c->control->aio_sigevent.sigev_notify = SIGEV_NONE;
    if (helpers_of.load(std::memory_order_relaxed) == 0 && has_helpers(os()))
      helpers_of = fork_count() + 1;
    const int r = (this->*request_of(op.kind))(c->control.get());
    if (r == 0) {
      c->op = &op;
      ++copies_in_flight_;
      if (is_for_a_file(op)) ++of_files_;
      return started::pending;
    }
    give_back(op);
    if (r != -EAGAIN) return done(op, r);
    // Out of helpers: one that is at work will be free, and where none is the loop makes the call.
    if (copies_in_flight_ > 0) return continue_later(op), started::pending;
    const int n = perform_on(*this, op, wait_in_call::no);
    return n == -EAGAIN && !is_for_a_file(op) ? park(op) : done(op, n);
  }

  int aio_read(aiocb* c) noexcept { return os().aio_read(c); }
  int aio_write(aiocb* c) noexcept { return os().aio_write(c); }
  int aio_sync(aiocb* c) noexcept { return os().aio_fsync(O_SYNC, c); }

  // How a helper is asked for it. Null: it cannot be, we make the call.
  using request = int (posix_aio_engine::*)(aiocb*) noexcept;
  static request request_of(op_kind kind) noexcept {
    switch (kind) {
    case op_kind::recv:
    case op_kind::read: return &posix_aio_engine::aio_read;
    case op_kind::send:
    case op_kind::write: return &posix_aio_engine::aio_write;
    case op_kind::sync: return &posix_aio_engine::aio_sync;
    default: return nullptr;
    }
  }

  copy* free_copy() noexcept {
    const auto c =
        std::find_if(copies_.begin(), copies_.end(), [](const copy& x) { return !x.op; });
    return c == copies_.end() ? nullptr : &*c;
  }

  void give_back(operation& op) noexcept {
    if (op.picks_buffer && op.payload.bytes)
      buffers()->give(std::exchange(op.payload.bytes, nullptr));
  }

  // A copy cannot be stopped, and need not: it does not wait.
  void do_cancel(operation& op) noexcept override {
    if (in_flight(op)) return;
    unpark(op);
    finish(op, -ECANCELED);
  }

  bool in_flight(const operation& op) const noexcept {
    return std::any_of(copies_.begin(), copies_.end(), [&](const copy& c) { return c.op == &op; });
  }

  // A helper must not find the number used again.
  void forget(int fd) noexcept override {
    for (const copy& c : copies_) {
      while (c.op && c.control->aio_fildes == fd) collect(nullptr);
    }
    if (slots_.holds(fd)) {
      at(fd).waiting.end_all([this](operation& op) { do_cancel(op); });
      static_cast<void>(watch_only(fd, interest::none));
    }
  }

  void do_wait(clock::time_point until) noexcept override {
    clock::duration left = time_until(until);
    if (copies_in_flight_ > 0) left = wait_for_copies(left);
    if (poller_->wait(left) <= 0) return;
    for (std::size_t i = 0; i < poller_->events().size(); ++i) {
      const poll_event e = poller_->events()[i];  // a copy: see poller::wait()
      if (e.token.fd == wake_.fd()) wake_.drain();
      else handle(e);
    }
  }

  // How long the poller may wait then. A copy of a socket takes microseconds. A file may take for
  // ever, and aio_suspend(3) does not see sockets: the longer it takes, the longer the poller waits
  // between two looks at it.
  clock::duration wait_for_copies(clock::duration left) noexcept {
    const bool only_files = copies_in_flight_ == of_files_;
    const bool slow = only_files && looks_in_vain_ > 0;
    const auto longest = slow ? clock::duration::zero() : suspended_max;
    const timespec t = to_timespec(std::min(left, longest));
    looks_in_vain_ = collect(&t) ? 0 : std::min(looks_in_vain_ + 1, 5);
    return slow ? std::min(left, suspended_max * (1 << looks_in_vain_)) : clock::duration::zero();
  }

  void handle(const poll_event& e) noexcept {
    slot& s = at(e.token.fd);
    const interest waited_for = s.waiting.wanted();
    const auto go_on = [this](operation& op) { this->go_on(op); };
    if (has(e.ready, interest::read)) s.waiting.readers.each(go_on);
    if (has(e.ready, interest::write)) s.waiting.writers.each(go_on);
    const interest wanted = waited_for | s.waiting.wanted();
    if (!has(wanted, e.ready)) static_cast<void>(watch_only(e.token.fd, s.watched & wanted));
  }

  // Its descriptor is ready.
  void go_on(operation& op) noexcept {
    const bool copies = request_of(op.kind) != nullptr;
    const int r = copies ? 0 : perform_on(*this, op, wait_in_call::no);
    if (r == -EAGAIN) return;
    unpark(op);
    if (!copies) finish(op, r);
    else if (hand_over(op) == started::done) finish(op, op.outcome);
  }

  // Waits for one of the copies, then reports all that are done. False: none is.
  bool collect(const timespec* timeout) noexcept {
    bool any = false;
    std::array<const aiocb*, copies_max> list{};
    int n = 0;
    for (const copy& c : copies_) {
      if (c.op) list[static_cast<std::size_t>(n++)] = c.control.get();
    }
    static_cast<void>(os().aio_suspend(list.data(), n, timeout));
    for (copy& c : copies_) {
      if (!c.op || os().aio_error(c.control.get()) == EINPROGRESS) continue;
      operation& op = *std::exchange(c.op, nullptr);
      --copies_in_flight_;
      if (is_for_a_file(op)) --of_files_;
      any = true;
      const int error = os().aio_error(c.control.get());
      const long moved = os().aio_return(c.control.get());
      report(op, error > 0 ? -error : static_cast<int>(moved));
    }
    return any;
  }

  void report(operation& op, int r) noexcept {
    if (r <= 0) give_back(op);
    else if (op.picks_buffer)
      op.payload.bytes = buffers()->pack(op.payload.bytes, static_cast<std::size_t>(r));
    if (r == -EAGAIN && op.cancel_requested) r = -ECANCELED;
    if ((r == -EAGAIN || r == -EINTR) && is_for_a_file(op)) {
      continue_later(op);
    } else if (r == -EAGAIN || r == -EINTR) {
      if (park(op) == started::done) finish(op, op.outcome);
    } else {
      finish(op, r);
    }
  }

  void do_wake() noexcept override { wake_.signal(); }

  slot& at(int fd) noexcept { return slots_[fd]; }

  static constexpr std::size_t copies_max = 64;
  static constexpr clock::duration suspended_max = std::chrono::milliseconds(1);

  const std::unique_ptr<poller> poller_;
  wake_descriptor wake_;
  slot_table<slot> slots_;
  std::array<copy, copies_max> copies_{};
  int copies_in_flight_ = 0;
  int of_files_ = 0;  // of them
  int looks_in_vain_ = 0;  // at copies, in a row
};

}  // namespace

made_engine make_posix_aio(kernel& os, std::unique_ptr<poller> p) {
  const unsigned owner = has_helpers(os) ? helpers_of.load() : 0;
  if (owner != 0 && owner != fork_count() + 1) return {nullptr, -EOWNERDEAD};
  wake_descriptor wake(os);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  auto it = std::make_unique<posix_aio_engine>(os, std::move(p), std::move(wake));
  if (const int r = it->prepare(); r < 0) return {nullptr, r};
  return {std::move(it), 0};
}

}  // namespace iolite

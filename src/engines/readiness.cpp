// Any poller becomes an engine: R. Stevens' second to fourth model. select(2), poll(2), epoll(7).
//
// The idea: a descriptor is registered once and stays so; what events have told about it is
// remembered, so that no receive is made that is known to say EAGAIN and nothing is asked that the
// facility will tell anyhow. Events are hints: the call itself is always tried, and decides.
//
// - `readable`/`writable`: the last thing known. A receive waits unless readable; a send is tried.
// - A short receive on TCP means drained: the next event tells when more has come (epoll(7),
//   "Questions and answers"). Not so after a hang-up: its event may have come before.
// - Facilities that report changes (edge) are told everything once; the others who waits, and what
//   is not wanted any more only when they report it.
// - A change is reported once, and what a call says may be wrong (a signal can cut a receive short,
//   a call can say EAGAIN too early): who has waited for 10 ms is looked at again, a few times.
#include "core/assert.hpp"
#include "core/perform.hpp"
#include "engines/second_looks.hpp"
#include "engines/slot_table.hpp"
#include "engines/wake.hpp"
#include "iolite/engine.hpp"
#include "pollers/poller.hpp"

#include <algorithm>
#include <cerrno>

namespace iolite {
namespace {

class readiness_engine final : public engine {
 public:
  readiness_engine(kernel& os, std::unique_ptr<poller> p, wake_descriptor w)
      : engine(os), poller_(std::move(p)), facility_(poller_->traits()), wake_(std::move(w)) {
    inline_budget_ = 2;  // a request and its answer: who streams is not served before the others
  }
  ~readiness_engine() override { shut_down(); }

  // Watches the descriptor that ends a wait. 0 or -errno.
  int prepare() noexcept {
    if (!slots_.get(wake_.fd())) return -ENOMEM;
    return poller_->update({wake_.fd(), 0}, interest::none, interest::read);
  }
  std::string_view name() const noexcept override { return poller_->name(); }
  engine_traits traits() const noexcept override {
    return {.needs_nonblocking = true, .fd_limit = facility_.fd_limit};
  }

 private:
  struct slot {
    operation* reader = nullptr;
    operation* writer = nullptr;
    std::uint32_t generation = 0;
    interest watched = interest::none;
    std::uint8_t looks = 0;  // since it began to wait
    bool readable : 1 = false;
    bool writable : 1 = true;
    bool hung_up : 1 = false;  // an end or an error is known: always try
    bool unwatchable : 1 = false;  // a regular file: always ready
    bool doubted : 1 = false;  // on the list of those that are looked at again
  };
  static_assert(sizeof(slot) <= 24, "there is one for each connection");

  started do_start(operation& op) noexcept override {
    slot* const s = slots_.get(op.fd);
    if (!s) return done(op, -ENOMEM);
    if (may_try(*s, op)) {
      const int r = attempt(*s, op);
      if (r != -EAGAIN) return done(op, r);
    }
    return park(*s, op);
  }

  static started done(operation& op, int r) noexcept { return op.outcome = r, started::done; }

  static bool may_try(const slot& s, const operation& op) noexcept {
    switch (op.kind) {
    case op_kind::recv:
    case op_kind::accept: return s.readable || s.unwatchable;
    case op_kind::send:
    case op_kind::send_file: return s.writable || s.unwatchable;
    case op_kind::connect: return true;
    default: return false;  // ready: asked once it is watched, see park()
    }
  }

  int attempt(slot& s, operation& op) noexcept {
    const int r = perform_on(*this, op, wait_in_call::no);
    const std::size_t asked = op.size - op.moved;
    if (op.kind == op_kind::recv || op.kind == op_kind::accept) {
      const bool drained = op.short_is_empty && r > 0 && static_cast<std::size_t>(r) < asked;
      s.readable = r != -EAGAIN && (!drained || s.hung_up);
    } else if (op.kind == op_kind::send || op.kind == op_kind::send_file) {
      s.writable = r != -EAGAIN;
    }
    return r;
  }

  started park(slot& s, operation& op) noexcept {
    const interest want = interest_of(op);
    IOLITE_ASSERT(!(has(want, interest::read) && s.reader) &&
                      !(has(want, interest::write) && s.writer),
                  "one receive and one send may be pending on a descriptor");
    if (has(want, interest::read)) s.reader = &op;
    if (has(want, interest::write)) s.writer = &op;
    const bool was_watched = s.watched != interest::none;
    int r = watch(s, op.fd);
    // What was ready before it was watched is told by no later change: look now.
    const bool must_look = op.kind == op_kind::ready || (facility_.edge_only && !was_watched);
    const bool watched = r == 0 && !s.unwatchable;
    if (r == 0 && (must_look || s.unwatchable)) r = attempt(s, op);
    else if (r == 0) r = -EAGAIN;
    if (r == -EAGAIN && watched) {
      doubt(s, op.fd);
      return started::pending;
    }
    unpark(s, op);
    return done(op, r);
  }

  void unpark(slot& s, const operation& op) noexcept {
    if (s.reader == &op) s.reader = nullptr;
    if (s.writer == &op) s.writer = nullptr;
    // A foreign one may be closed without our knowledge: registered only while waited for.
    if (op.kind == op_kind::ready && op.fd >= 0 && !s.reader && !s.writer) drop(s, op.fd);
  }

  static interest waiting(const slot& s) noexcept {
    return (s.reader ? interest::read : interest::none) |
           (s.writer ? interest::write : interest::none);
  }

  // Sees to it that what waits is watched. 0 or -errno.
  int watch(slot& s, int fd) noexcept {
    if (s.unwatchable || (s.watched & waiting(s)) == waiting(s)) return 0;
    if (!reports_changes()) return rewatch(s, fd, s.watched | waiting(s));
    return rewatch(s, fd, facility_.edge ? interest::both | interest::edge : interest::both);
  }

  int rewatch(slot& s, int fd, interest want) noexcept {
    const int r = poller_->update({fd, s.generation}, s.watched, want);
    if (r == -EPERM) return s.unwatchable = true, 0;  // a regular file, on epoll(7)
    if (r == 0) s.watched = want;
    return r;
  }

  void drop(slot& s, int fd) noexcept {
    if (s.watched != interest::none) poller_->update({fd, s.generation}, s.watched, interest::none);
    s = slot{.generation = s.generation + 1, .doubted = s.doubted};
  }

  void do_forget(int fd) noexcept override {
    if (slots_.holds(fd)) {
      slot& s = at(fd);
      IOLITE_ASSERT(!s.reader && !s.writer,
                    "operations are cancelled before their descriptor is closed");
      drop(s, fd);
    }
  }

  void do_cancel(operation& op) noexcept override {
    unpark(at(op.fd), op);
    finish(op, -ECANCELED);
  }

  static constexpr std::uint8_t looks_max = 4;
  static constexpr std::size_t at_once_max = 32;

  // A batch is taken in pieces, a quarter of it each: answers go out while the next requests come
  // in, and what was received is still in the cache when it is answered.
  void do_wait(clock::time_point until) noexcept override {
    if (handled_ == poller_->events().size()) ask(until);
    const std::size_t found = poller_->events().size();
    const std::size_t end = std::min(found, handled_ + std::clamp(found / 4, 1uz, at_once_max));
    while (handled_ < end) {
      handle(poll_event(poller_->events()[handled_++]));  // a copy: see poller::wait()
    }
    found_more_ = end < found;
  }

  void ask(clock::time_point until) noexcept {
    const bool timed = until != never && until != clock::time_point::min();
    const clock::time_point t = timed || !doubted_.empty() ? now() : until;
    clock::duration timeout = until == never ? for_ever : std::max(until, t) - t;
    if (!doubted_.empty()) timeout = std::min(timeout, look_again(t));
    const int n = poller_->wait(timeout);
    handled_ = n > 0 ? 0 : poller_->events().size();
    // A facility of signals is not told of what this process does to its own descriptors, as
    // shutdown(2): who does so wakes us, and all that wait look again.
    if (n == -EINTR && facility_.edge_only) retry_all();
    // Out of memory for a moment, or a fault that stays: then nothing can ever complete.
    failed_waits_ = n < 0 && n != -EINTR ? failed_waits_ + 1 : 0;
    IOLITE_ASSERT(failed_waits_ < 1000, "the poller cannot wait any more");
  }

  bool reports_changes() const noexcept { return facility_.edge || facility_.edge_only; }

  void doubt(slot& s, int fd) noexcept {
    s.looks = 0;
    if (!s.doubted && reports_changes()) s.doubted = doubted_.add(fd, now());
  }

  // A signal tells of room only who has met a full buffer (unix(7)): not who merely asks.
  bool is_told_of_no_room(const slot& s) const noexcept {
    return facility_.edge_only && s.writer && s.writer->kind == op_kind::ready;
  }

  // Looks again at those that have waited since the last time. How long the wait may be.
  clock::duration look_again(clock::time_point t) noexcept {
    bool found = false;
    const clock::duration next = doubted_.look(t, [&](int fd) {
      slot& s = at(fd);
      s.doubted = (s.reader || s.writer) && (s.looks < looks_max || is_told_of_no_room(s));
      if (!s.doubted) return true;
      if (s.looks == 0) return ++s.looks, false;  // it began to wait since the last time
      if (s.looks < looks_max) ++s.looks;
      operation* const writer = s.writer != s.reader ? s.writer : nullptr;
      if (s.reader && retry(*s.reader)) found = true;
      if (writer && retry(*writer)) found = true;
      return false;
    });
    return found ? clock::duration::zero() : next;
  }

  void handle(const poll_event& e) noexcept {
    if (e.token.fd == wake_.fd()) {
      if (!facility_.candidates || woken()) wake_.drain();
      if (facility_.edge_only) retry_all();
      return;
    }
    slot& s = at(e.token.fd);
    if (s.generation != e.token.generation) {
      ++stats_.stale_events;
      return;
    }
    if (e.hang_up) s.hung_up = true;
    const interest ready = e.hang_up ? interest::both : e.ready;
    const interest waited_for = waiting(s);
    if (has(ready, interest::read)) s.readable = true;
    if (has(ready, interest::write)) s.writable = true;
    if (operation* op = has(ready, interest::read) ? s.reader : nullptr) tell(*op);
    if (operation* op = has(ready, interest::write) ? s.writer : nullptr) tell(*op);
    if (!reports_changes()) drop_unwanted(s, e, waited_for);
  }

  // What stays watched though nobody waits costs nothing until it is reported: he who has just been
  // told will mostly wait again.
  void drop_unwanted(slot& s, const poll_event& e, interest waited_for) noexcept {
    const auto unwanted = static_cast<interest>(static_cast<unsigned>(e.ready) &
                                                ~static_cast<unsigned>(waited_for | waiting(s)));
    if (s.generation != e.token.generation || !has(s.watched, unwanted)) return;
    static_cast<void>(rewatch(s, e.token.fd, s.watched & (waited_for | waiting(s))));
  }

  void tell(operation& op) noexcept {
    if (retry(op)) return;
    if (facility_.candidates) return;
    ++stats_.spurious_events;
    doubt(at(op.fd), op.fd);
  }

  // False: it would still wait.
  bool retry(operation& op) noexcept {
    slot& s = at(op.fd);
    const int r = attempt(s, op);
    if (r == -EAGAIN) return false;
    if (facility_.candidates) poller_->progress();
    unpark(s, op);
    finish(op, r);
    return true;
  }

  void retry_all() noexcept {
    slots_.each([&](slot& s) {
      if (s.reader) retry(*s.reader);
      if (s.writer) retry(*s.writer);
    });
  }

  void do_wake() noexcept override { wake_.signal(); }
  slot& at(int fd) noexcept { return slots_[fd]; }

  const std::unique_ptr<poller> poller_;
  const poller_traits facility_;
  wake_descriptor wake_;
  slot_table<slot> slots_;
  second_looks doubted_;  // each at most once
  std::size_t handled_ = 0;  // of the poller's events
  int failed_waits_ = 0;  // in a row
};

}  // namespace

made_engine make_readiness(kernel& os, std::unique_ptr<poller> p) {
  using kind = wake_descriptor::kind;
  wake_descriptor wake(os, p->traits().edge_only ? kind::pipe : kind::event);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  auto it = std::make_unique<readiness_engine>(os, std::move(p), std::move(wake));
  if (const int r = it->prepare(); r < 0) return {nullptr, r};
  return {std::move(it), 0};
}

}  // namespace iolite

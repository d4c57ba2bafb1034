// Any poller becomes an engine: R. Stevens' second to fourth model. select(2), poll(2), epoll(7).
//
// The idea: a descriptor is registered once and stays so; what events have told about it is
// remembered, so that no receive is made that is known to say EAGAIN and nothing is asked that the
// facility will tell anyhow. Events are hints: the call itself is always tried, and decides.
//
// - A receive waits unless `readable`, the last thing known; a send is tried unless not `writable`.
// - A short receive on TCP means drained: the next event tells when more has come (epoll(7),
//   "Questions and answers"). Not so after a hang-up or a second event: that may have been the end.
// - Facilities that report changes (edge) are told everything once; the others what is waited for.
//   What is not wanted any more they are told only when they report it.
// - A change is reported once, and what a call says may be wrong (a signal can cut a receive
//   short): an operation that has waited for 10 ms is rechecked with poll(2), a few times.
#include "base/assert.hpp"
#include "core/perform.hpp"
#include "engines/made_engine.hpp"
#include "engines/rechecks.hpp"
#include "engines/slot_table.hpp"
#include "engines/waiting_list.hpp"
#include "iolite/core/engine.hpp"
#include "pollers/poller.hpp"
#include "pollers/wake_descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace iolite {
namespace {

class readiness_engine final : public engine, private descriptor_state {
 public:
  readiness_engine(kernel& os, std::unique_ptr<poller> p, wake_descriptor w)
      : engine(os, {.descriptors = this}), poller_(std::move(p)), facility_(poller_->traits()),
        wake_(std::move(w)) {
    inline_budget_ = 2;  // a request and its answer: who streams is not served before the others
  }
  ~readiness_engine() override { shut_down(); }

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
    waiting_both waiting;
    std::uint32_t generation = 0;
    interest watched = interest::none;
    std::uint8_t looks = 0;  // since it began to wait
    bool readable : 1 = false;
    bool writable : 1 = true;
    bool told_again : 1 = false;  // when it was readable already: by an end, perhaps
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

  // By what is known of its direction. A ready() asks once it is watched: see park().
  static bool may_try(const slot& s, const operation& op) noexcept {
    switch (traits_of(op.kind).direction) {
    case interest::read: return s.readable || s.unwatchable;
    case interest::write: return s.writable || s.unwatchable;
    default: return false;
    }
  }

  int attempt(slot& s, operation& op) noexcept {
    const int r = perform_on(*this, op, wait_in_call::no);
    const std::size_t asked = op.size - op.moved;
    const interest direction = traits_of(op.kind).direction;
    if (direction == interest::read) {
      const bool drained = op.short_is_empty && r > 0 && static_cast<std::size_t>(r) < asked;
      s.readable = r != -EAGAIN && (!drained || s.hung_up || s.told_again);
      if (drained) s.told_again = false;
    } else if (direction == interest::write) {
      s.writable = r != -EAGAIN;
    }
    return r;
  }

  started park(slot& s, operation& op) noexcept {
    const interest want = interest_of(op);
    s.waiting.add(op, want);
    const bool was_watched = (s.watched & want) == want;
    int r = watch(s, op);
    // What was ready before it was watched is told by no later change: look now.
    const bool must_look = op.kind == op_kind::ready || (facility_.edge_only && !was_watched);
    s.told_again = s.told_again || must_look;
    const bool watched = r == 0 && !s.unwatchable;
    if (r == 0 && (must_look || s.unwatchable)) r = attempt(s, op);
    else if (r == 0) r = -EAGAIN;
    if (r == -EAGAIN && watched) return doubt(s, op.fd), started::pending;
    unpark(s, op);
    return done(op, r);
  }

  void unpark(slot& s, const operation& op) noexcept {
    s.waiting.remove(op);
    // A foreign one may be closed without our knowledge: registered only while waited for.
    if (op.kind == op_kind::ready && s.waiting.wanted() == interest::none) drop(s, op.fd);
  }

  // Sees to it that what waits is watched. 0 or -errno. A descriptor of ready() is watched for what
  // is waited for alone: a facility that looks at it (eventfd(2) sends no signals) finds it ready
  // for the rest in each wait.
  int watch(slot& s, const operation& op) noexcept {
    const interest wanted = s.waiting.wanted();
    if (s.unwatchable || (s.watched & wanted) == wanted) return 0;
    const bool all = reports_changes() && op.kind != op_kind::ready;
    const interest mode = facility_.edge ? interest::edge : interest::none;
    return rewatch(s, op.fd, (all ? interest::both : s.watched | wanted) | mode);
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

  void forget(int fd) noexcept override {
    if (!slots_.holds(fd)) return;
    slot& s = at(fd);
    s.waiting.end_all([this](operation& op) { do_cancel(op); });
    drop(s, fd);
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
    if (look_at_ != never && !found_more_) look_again(std::exchange(look_at_, never));
  }

  void ask(clock::time_point until) noexcept {
    clock::duration timeout = time_until(until);
    if (!doubted_.empty()) {
      const clock::time_point t = now();
      const clock::duration left = doubted_.left(t);
      if (left == clock::duration::zero()) look_at_ = t;
      timeout = std::min(timeout, left);
    }
    const int n = poller_->wait(timeout);
    handled_ = n > 0 ? 0 : poller_->events().size();
    // A facility of signals is not told of what this process does to its own descriptors, as
    // shutdown(2): the caller wakes us, and all that wait look again.
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

  // unix(7) signals room only to a sender that has met a full buffer, not to a mere poll; and of a
  // peer that ends its receiving when it had ended its sending before, none tells.
  bool is_told_of_no_room(const slot& s) const noexcept {
    const operation* const writer = s.waiting.writers.first();
    return facility_.edge_only && writer && writer->kind != op_kind::connect &&
           !writer->short_is_empty;  // which is so of TCP
  }

  // At those that have waited since the last time, of which the facility has told nothing just now.
  void look_again(clock::time_point t) noexcept {
    const auto asked = doubted_.questions(t, [this](int fd) -> std::optional<short> {
      slot& s = at(fd);
      const interest wanted = s.waiting.wanted();
      s.doubted = wanted != interest::none && (s.looks < looks_max || is_told_of_no_room(s));
      if (!s.doubted) return std::nullopt;
      if (s.looks == 0) return ++s.looks, short{0};  // it began to wait since the last time
      if (s.looks < looks_max) ++s.looks;
      return poll_bits(wanted);
    });
    if (asked.empty() || os().poll(asked.data(), asked.size(), 0) <= 0) return;
    for (const pollfd& p : asked) {
      if (p.revents != 0) stats_.missed_events += retry_each(at(p.fd));
    }
  }

  void handle(const poll_event& e) noexcept {
    if (e.token.fd == wake_.fd()) {
      if (!facility_.candidates || woken()) wake_.drain();
      if (facility_.edge_only) retry_all();
      return;
    }
    slot& s = at(e.token.fd);
    if (s.generation != e.token.generation) return static_cast<void>(++stats_.stale_events);
    if (e.hang_up) s.hung_up = true;
    const interest ready = e.hang_up ? interest::both : e.ready;
    const interest waited_for = s.waiting.wanted();
    if (facility_.edge_only && s.readable && has(ready, interest::read)) s.told_again = true;
    s.readable = s.readable || has(ready, interest::read);
    s.writable = s.writable || has(ready, interest::write);
    s.waiting.each(ready, [this](operation& op) { return tell(op); });
    if (!reports_changes()) drop_unwanted(s, e, waited_for);
  }

  // Not before it is reported: what has just been resumed mostly waits again.
  void drop_unwanted(slot& s, const poll_event& e, interest waited_for) noexcept {
    const interest wanted = waited_for | s.waiting.wanted();
    if (s.generation != e.token.generation) return;
    if ((s.watched & e.ready & wanted) == (s.watched & e.ready)) return;
    static_cast<void>(rewatch(s, e.token.fd, s.watched & wanted));
  }

  bool tell(operation& op) noexcept {
    if (retry(op)) return true;
    if (facility_.candidates) return false;
    ++stats_.spurious_events;
    doubt(at(op.fd), op.fd);
    return false;
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

  std::uint64_t retry_each(const slot& s) noexcept {
    return s.waiting.each(interest::both, [this](operation& op) { return retry(op); });
  }
  void retry_all() noexcept {
    slots_.each([this](const slot& s) { retry_each(s); });
  }

  void do_wake() noexcept override { wake_.signal(); }
  slot& at(int fd) noexcept { return slots_[fd]; }

  const std::unique_ptr<poller> poller_;
  const poller_traits facility_;
  wake_descriptor wake_;
  slot_table<slot> slots_;
  rechecks doubted_;  // each at most once
  clock::time_point look_at_ = never;  // a look at those is due: when that was seen
  std::size_t handled_ = 0;  // of the poller's events
  int failed_waits_ = 0;  // in a row
};

}  // namespace

made_engine make_readiness(kernel& os, std::unique_ptr<poller> p) {
  using kind = wake_descriptor::kind;
  wake_descriptor wake(os, p->traits().signals ? kind::pipe : kind::event);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  auto it = std::make_unique<readiness_engine>(os, std::move(p), std::move(wake));
  if (const int r = it->prepare(); r < 0) return {nullptr, r};
  return {std::move(it), 0};
}

}  // namespace iolite

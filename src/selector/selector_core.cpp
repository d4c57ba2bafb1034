// The selector: one meaning over pollers that differ.
//
// The idea: a poller only says whom to look at. Those stand in a queue, first come, first served,
// and leave it by being reported or by a look with poll(2) that finds them not ready. That one rule
// gives answers for guesses (nonblocking), fairness for a small `max`, and the truth about
// descriptors that were closed behind our back.
#include "selector/selector_core.hpp"

#include "pollers/watch_list.hpp"

#include <algorithm>
#include <cerrno>

namespace iolite {
namespace {

constexpr unsigned events_mask = IOLITE_READ | IOLITE_WRITE;
constexpr unsigned modes_mask = IOLITE_EDGE | IOLITE_ONESHOT;
constexpr std::size_t look_max = 1024;
constexpr int nobody = -1;
constexpr auto slice = std::chrono::milliseconds(20);

}  // namespace

selector_core::~selector_core() { poller_.reset(); }

int selector_core::open() {
  poller_options options = facility_.options;
  options.states = true;
  made_poller made = facility_.entry->make(os_, options);
  if (!made.it) return made.error == -ENOSYS ? -ENOTSUP : made.error;
  poller_ = std::move(made.it);
  traits_ = poller_->traits();
  look_.reserve(look_max);
  using kind = wake_descriptor::kind;
  wake_ = std::make_unique<wake_descriptor>(os_, traits_.signals ? kind::pipe : kind::event);
  if (wake_->fd() < 0) return wake_->fd();
  const int r = poller_->update({wake_->fd(), 0}, interest::none, interest::read);
  return r == -EINVAL ? -EMFILE : r;  // select(2): no number is free that is small enough
}

// Made is not yet working: a filter of system calls may let the first one pass and not the next.
// Those that guess, or learn from signals, are only used when asked for by name.
bool selector_core::works() noexcept {
  if (traits_.candidates || traits_.signals || wake() < 0) return false;
  int n = -EINTR;
  while (n == -EINTR) n = poller_->wait(std::chrono::seconds(1));
  iolite_ready none;
  return n == 1 && wait(&none, 1, 0) == 0;
}

int selector_core::check(unsigned events) const noexcept {
  if ((events & events_mask) == 0 || (events & ~(events_mask | modes_mask)) != 0) return -EINVAL;
  if (events & IOLITE_EDGE && !traits_.edge) return -ENOTSUP;
  if (events & IOLITE_ONESHOT && !traits_.oneshot) return -ENOTSUP;
  return 0;
}

watched* selector_core::find(int fd) noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= table_.size()) return nullptr;
  watched& w = at(fd);
  return w.wanted == interest::none ? nullptr : &w;
}

int selector_core::add(int fd, unsigned events, void* data) {
  if (const int r = check(events); r < 0) return r;
  if (fd < 0) return -EBADF;
  if (find(fd)) return -EEXIST;
  if (++generation_ == 0) ++generation_;
  const auto wanted = static_cast<interest>(events);
  const watch_token t{fd, generation_};
  if (const int r = poller_->update(t, interest::none, wanted); r < 0) return r;
  try {
    const auto number = static_cast<std::size_t>(fd);
    if (number >= table_.size()) table_.resize(number + 1 + number / 2);
  } catch (const std::bad_alloc&) {
    poller_->update(t, wanted, interest::none);
    return -ENOMEM;
  }
  at(fd) = {.data = data, .generation = t.generation, .wanted = wanted, .in_poller = true};
  return 0;
}

int selector_core::modify(int fd, unsigned events, void* data) noexcept {
  if (const int r = check(events); r < 0) return r;
  watched* w = find(fd);
  if (!w) return -ENOENT;
  if (w->dead) return -EBADF;
  const auto wanted = static_cast<interest>(events);
  if (wanted != w->wanted || events & modes_mask) {
    if (!traits_.edge) {  // with edge the kernel keeps the list, and so knows
      if (const int r = check_open(os_, fd); r < 0) return r;
    }
    const int r = poller_->update(token(fd), w->in_poller ? w->wanted : interest::none, wanted);
    if (r == -ENOENT) return -EBADF;  // the number is another file's by now
    if (r < 0) return r;
  }
  w->data = data;
  w->wanted = wanted;
  w->in_poller = true;
  w->fired = false;
  w->decided = 0;
  return 0;
}

int selector_core::remove(int fd) noexcept {
  watched* w = find(fd);
  if (!w) return -ENOENT;
  // If this fails its events are stale from now on, and ask() deals with those.
  if (w->in_poller) poller_->update(token(fd), w->wanted, interest::none);
  dequeue(fd);
  *w = {};
  return 0;
}

void selector_core::enqueue(int fd) noexcept {
  watched& w = at(fd);
  if (w.queued || w.dead || w.fired) return;
  w.queued = true;
  w.decided = 0;
  w.next = nobody;
  w.prev = last_;
  (last_ == nobody ? first_ : at(last_).next) = fd;
  last_ = fd;
  ++queued_count_;
}

void selector_core::dequeue(int fd) noexcept {
  watched& w = at(fd);
  if (!w.queued) return;
  (w.prev == nobody ? first_ : at(w.prev).next) = w.next;
  (w.next == nobody ? last_ : at(w.next).prev) = w.prev;
  w.queued = false;
  --queued_count_;
}

int selector_core::wait(iolite_ready* out, int max, std::int64_t timeout_ns) noexcept {
  if (max <= 0 || !out) return -EINVAL;
  ++turn_;
  const clock::duration timeout = timeout_ns < 0 ? for_ever : std::chrono::nanoseconds(timeout_ns);
  const clock::time_point until = timeout_ns > 0 ? deadline_after(os_.now(), timeout) : never;
  for (clock::duration left = timeout;;) {
    int asked = -EINTR;  // or not at all, which is as good
    const bool asks = queued_count_ < max;
    if (asks) {
      const bool at_once = queued_count_ > 0 || woken_;
      asked = ask(at_once ? clock::duration::zero() : left);
      if (asked < 0 && asked != -EINTR) return asked;
    }
    int n = report(out, max);
    if (n < 0) return n;
    if (n > 0 && n < max && !asks) n += ask_for_more(out + n, max - n);
    if (const bool woken = take_wake(); n > 0 || woken) return n;
    if (timeout_ns < 0) continue;
    left = timeout_ns == 0 ? clock::duration::zero() : until - os_.now();
    if (asked != -EINTR && left <= clock::duration::zero()) return 0;
  }
}

// Asks the poller, and queues whom it names.
int selector_core::ask(clock::duration timeout) noexcept {
  const int n = poller_->wait(timeout);
  if (n < 0) return n;
  bool stale = false;
  for (const poll_event& e : poller_->events()) {
    if (e.token.generation == 0) {
      if (!traits_.candidates) wake_->drain();
      continue;
    }
    watched* w = find(e.token.fd);
    if (!w || w->generation != e.token.generation || w->dead) {
      stale = true;
      continue;
    }
    if (w->reported == turn_) continue;
    enqueue(e.token.fd);
    // Where the list is ours, the poller's last word was poll(2)'s. A list in the kernel outlives
    // descriptors: a duplicate, in a child for one, keeps the file and its entry alive.
    if (traits_.candidates || traits_.edge) continue;
    w->ready = e.ready;
    w->decided = turn_;
  }
  // A change that came since it was reported is for the next turn.
  for (const poll_event& e : poller_->events()) {
    watched* w = e.token.generation == 0 ? nullptr : find(e.token.fd);
    const bool again = w && w->generation == e.token.generation && w->reported == turn_;
    if (again && has(w->wanted, interest::edge)) enqueue(e.token.fd);
  }
  if (stale) start_anew();
  return n;
}

// Those in the queue seemed to be enough, but some of them were not ready: who else is?
int selector_core::ask_for_more(iolite_ready* out, int room) noexcept {
  if (ask(clock::duration::zero()) < 0) return 0;
  return std::max(report(out, room), 0);
}

// Takes from the head of the queue what is ready.
int selector_core::report(iolite_ready* out, int max) noexcept {
  int n = 0;
  while (n < max && first_ != nobody) {
    if (at(first_).decided != turn_) {
      const int r = look(max - n);
      if (r < 0 && n == 0) return r;
      if (r < 0) break;
      continue;  // those found closed have left
    }
    const int fd = first_;
    watched& w = at(fd);
    if (w.reported == turn_) break;  // and so have those behind it: see ask()
    dequeue(fd);
    const interest ready = w.ready & w.wanted & interest::both;
    if (ready == interest::none) {
      not_ready(fd);
      continue;
    }
    w.fired = has(w.wanted, interest::oneshot);
    w.reported = turn_;
    out[n++] = {fd, static_cast<unsigned>(ready), w.data};
  }
  return n;
}

// Decides about the first in the queue, and about more of them in the same call.
int selector_core::look(int at_least) noexcept {
  const auto most = std::clamp<std::size_t>(static_cast<std::size_t>(at_least), 64, look_max);
  look_.clear();
  for (int fd = first_; fd != nobody && look_.size() < most; fd = at(fd).next) {
    if (at(fd).decided != turn_) look_.push_back({fd, to_poll(at(fd).wanted), 0});
  }
  int r;
  while ((r = os_.poll(look_.data(), look_.size(), 0)) < 0) {
    if (r == -EINVAL && look_.size() > 1)
      look_.resize(look_.size() / 2);  // more than RLIMIT_NOFILE
    else if (r != -EINTR) return r;
  }
  bool orphans = false;
  for (const pollfd& p : look_) {
    if (p.revents & POLLNVAL) {
      bury(p.fd);
      orphans = traits_.edge;
      continue;
    }
    at(p.fd).ready = from_poll({}, static_cast<unsigned>(p.revents)).ready;
    at(p.fd).decided = turn_;
  }
  if (orphans) start_anew();
  return 0;
}

void selector_core::not_ready(int fd) noexcept {
  if (!traits_.edge) return;
  // The event was used up behind the poller's back: arm it again. Or it was never this file's: the
  // descriptor was closed, its number used again, and a duplicate keeps the old file alive.
  const interest wanted = at(fd).wanted;
  if (poller_->update(token(fd), wanted, wanted) != -ENOENT) return;
  bury(fd);
  start_anew();
}

// Closed without a remove: out of sight until the caller removes it.
void selector_core::bury(int fd) noexcept {
  watched& w = at(fd);
  dequeue(fd);
  poller_->update(token(fd), w.wanted, interest::none);
  w.in_poller = false;
  w.dead = true;
}

// The kernel's list names files that no number leads to any more, so they cannot be taken out of
// it. They would end every wait at once. So the list is emptied, and filled with those that are
// alive.
void selector_core::start_anew() noexcept {
  int r = poller_->clear();
  if (r == -ENOTSUP) return;
  if (r == 0) r = poller_->update({wake_->fd(), 0}, interest::none, interest::read);
  if (r < 0) {  // no descriptor or memory left for it: better slow than busy
    const timespec t = to_timespec(slice);
    os_.nanosleep(&t);
    return;
  }
  for (std::size_t i = 0; i < table_.size(); ++i) {
    watched& w = table_[i];
    if (w.wanted == interest::none || w.dead) continue;
    const int fd = static_cast<int>(i);
    w.in_poller = !w.fired && poller_->update(token(fd), interest::none, w.wanted) == 0;
    if (w.in_poller || w.fired) continue;
    dequeue(fd);
    w.dead = true;
  }
}

// Why a flag beside the descriptor: wakes are coalesced without a call, and the wake is used up by
// the wait that returns, also where the descriptor was not among those the poller named.
int selector_core::wake() noexcept {
  const int saved = errno;
  const int r = woken_.exchange(true) ? 0 : wake_->try_signal();
  if (r < 0) woken_ = false;
  errno = saved;
  return r;
}

// First the flag, then the descriptor: a wake() in between leaves the flag set, which wait() sees.
// A wake() whose write comes only now leaves a readable descriptor, which ask() drains.
bool selector_core::take_wake() noexcept {
  if (!woken_ || !woken_.exchange(false)) return false;
  wake_->drain();
  return true;
}

}  // namespace iolite

// The second, smaller seam: a facility that says which descriptors are ready.
//
// A poller knows nothing of operations or coroutines. The readiness engine and the public selector
// stand on the same pollers. What differs between facilities is declared in poller_traits and made
// equal above: see engines/readiness.cpp and selector.cpp.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/interest.hpp"
#include "kernel/kernel.hpp"

#include <cerrno>
#include <ctime>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace iolite {

// A registration. `generation` is the owner's: it comes back with each event, so that an event for
// a descriptor that was closed, and whose number was used again, is known to be stale.
struct watch_token {
  int fd = -1;
  std::uint32_t generation = 0;
};

struct poll_event {
  watch_token token;
  interest ready = interest::none;  // read, write or both
  // An error, a hang-up, the peer's half-close or a byte out of band was seen: receive until there
  // is no more, also when a receive was short. On an error or a hang-up `ready` is both, also where
  // only one was asked for.
  bool hang_up = false;
};

struct poller_traits {
  bool edge = false;  // interest::edge is understood
  bool oneshot = false;  // interest::oneshot is understood
  bool files = false;  // regular files can be watched (and are always ready)
  bool candidates = false;  // events are guesses ("try this one"), not answers
  bool edge_only = false;  // reports changes, never a state, and what was so when they came: look
      // with poll(2) after registering
  bool signals = false;  // is told of changes by signals: wake it by a pipe, eventfd(2) sends none
  int fd_limit = 0;  // descriptors must be below this; 0: no limit
};

class poller {
 public:
  poller() = default;
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;
  virtual ~poller() = default;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual poller_traits traits() const noexcept = 0;
  // A descriptor that becomes readable when wait() would return something; -1: none.
  [[nodiscard]] virtual int native_handle() const noexcept { return -1; }

  // Changes what is watched from `before` to `after`; `none` to or from means add or remove.
  // 0 or -errno; removing a descriptor that is closed already succeeds. Level-triggered unless
  // `after` has edge (and the traits allow it).
  virtual int update(watch_token t, interest before, interest after) noexcept = 0;

  // A candidate turned out to be ready: for facilities that guess.
  virtual void progress() noexcept {}

  // Empties the list without naming its members, where a list in the kernel can outlive the
  // descriptors; native_handle() stays the same. -ENOTSUP where it cannot.
  virtual int clear() noexcept { return -ENOTSUP; }

  // Waits until something is ready or `timeout` (never: duration::max()) has passed, never less
  // long; rounds up to its own resolution. The count of events(), or -errno; -EINTR when a signal
  // came or what came was nothing: go on with the time left. Takes no memory: update() has taken
  // it. events() stay until the next wait(), but an update() that adds may move them.
  virtual int wait(clock::duration timeout) noexcept = 0;
  [[nodiscard]] std::span<const poll_event> events() const noexcept { return events_; }

 protected:
  std::vector<poll_event> events_;  // what wait() has found
};

inline constexpr clock::duration for_ever = clock::duration::max();

// Milliseconds for poll(2) and epoll_wait(2): rounded up (never early), -1 for ever, and clamped to
// what an int holds (24 days; a wait that ends then finds nothing and goes on).
[[nodiscard]] int to_milliseconds(clock::duration timeout) noexcept;
// The same for calls that take a structure; not for `for_ever`, which is a null pointer there.
[[nodiscard]] timespec to_timespec(clock::duration timeout) noexcept;
[[nodiscard]] timeval to_timeval(clock::duration timeout) noexcept;

// The vocabulary of poll(2), which epoll(7) shares on Linux.
[[nodiscard]] short to_poll(interest wanted) noexcept;
[[nodiscard]] poll_event from_poll(watch_token t, unsigned bits) noexcept;

// What `nonblocking` does when it has asked everyone in vain.
enum class idle_strategy : std::uint8_t { spin, yield, sleep };

struct poller_options {
  idle_strategy idle = idle_strategy::yield;
  int signal_number = 0;  // `signal`: which real-time signal; 0: SIGRTMIN + 4
  // For a selector: `signal` tells what is ready now, not what has changed; no facility tells more
  // than what was asked for.
  bool states = false;
};

// Each may fail: the pointer is empty then and `error` is -errno.
struct made_poller {
  std::unique_ptr<poller> it;
  int error = 0;
};
using make_poller = made_poller (*)(kernel&, const poller_options&);

}  // namespace iolite

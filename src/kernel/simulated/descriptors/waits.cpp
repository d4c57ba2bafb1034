// See process.hpp: the calls that wait for readiness or time.
#include "kernel/simulated/descriptors/epoll_set.hpp"
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/processes/process.hpp"
#include "kernel/simulated/ring/ring_file.hpp"

#include <algorithm>
#include <ctime>

namespace iolite::simulated {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

}  // namespace

void process::stand_still() {
  while (site_.is_held()) {
    site_.world.turns.wait(nullptr, site_.held_until, [this] { return !site_.is_held(); });
  }
}

// A sleeper is woken a little late: time(7).
clock::time_point process::deadline(clock::duration length) {
  machine& w = site_.world;
  if (length < clock::duration::zero()) return never;
  const clock::time_point t = deadline_after(w.time.now(), length);
  if (length == clock::duration::zero() || t == never) return t;
  return deadline_after(t, w.random.between({}, microseconds(50)));
}

// Is `fd` said to be readable though it is not?
bool process::lies(int fd, int asked) {
  const file* const f = files_.find(fd);
  return (asked & POLLIN) != 0 && f && f->may_seem_ready() &&
         (f->readiness() & (POLLIN | POLLERR | POLLHUP)) == 0 && wrong(fault_kind::spurious);
}

long process::poll(pollfd* fds, std::size_t n, int ms) {
  if (n > static_cast<std::size_t>(files_.limit())) return -EINVAL;
  long found = 0;
  const auto look = [&] {
    found = 0;
    for (pollfd& p : std::span(fds, n)) {
      p.revents = 0;
      if (p.fd < 0) continue;
      const file* const f = files_.find(p.fd);
      const int bits = f ? f->readiness() & (p.events | POLLERR | POLLHUP) : POLLNVAL;
      p.revents = static_cast<short>(bits);
      if (p.revents != 0) ++found;
    }
    return found > 0;
  };
  for (pollfd& p : std::span(fds, n)) {
    if (!lies(p.fd, p.events)) continue;
    look();  // what is true is told as well
    found += p.revents == 0 ? 1 : 0;
    p.revents = static_cast<short>(p.revents | POLLIN);
    return found;
  }
  const long r = wait(&site_.version, deadline(milliseconds(ms)), look);
  return r == 0 ? found : r == -ETIMEDOUT ? 0 : r;
}

long process::select(const call_args& a) {
  const auto n = a.as<int>(0);
  if (n < 0 || n > FD_SETSIZE) return -EINVAL;
  fd_set* const sets[] = {a.as<fd_set*>(1), a.as<fd_set*>(2), a.as<fd_set*>(3)};
  constexpr int meant[] = {POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, POLLPRI};
  fd_set found[3];
  long count = 0;
  bool bad = false;
  const auto look = [&] {
    count = 0;
    for (std::size_t s = 0; s < 3; ++s) {
      FD_ZERO(&found[s]);
      for (int fd = 0; sets[s] && fd < n; ++fd) {
        if (!FD_ISSET(fd, sets[s])) continue;
        const file* const f = files_.find(fd);
        bad = bad || !f;
        if (!f || (f->readiness() & meant[s]) == 0) continue;
        FD_SET(fd, &found[s]);
        ++count;
      }
    }
    return bad || count > 0;
  };
  auto* const t = a.as<timeval*>(4);
  const auto length =
      t ? std::chrono::seconds(t->tv_sec) + microseconds(t->tv_usec) : clock::duration(-1);
  const long r = wait(&site_.version, deadline(length), look);
  if (bad) return -EBADF;
  if (r < 0 && r != -ETIMEDOUT) return r;
  for (std::size_t s = 0; s < 3; ++s) {
    if (sets[s]) *sets[s] = found[s];
  }
  return r == 0 ? count : 0;
}

long process::epoll_control(int ep, int operation, int fd, const epoll_event* e) {
  const auto set = std::dynamic_pointer_cast<epoll_set>(files_.share(ep));
  if (!files_.find(ep) || !files_.find(fd)) return -EBADF;
  if (!set) return -EINVAL;
  return set->control(operation, fd, files_.share(fd), e);
}

long process::epoll_wait(int ep, epoll_event* out, int most, int ms) {
  const auto set = std::dynamic_pointer_cast<epoll_set>(files_.share(ep));
  if (!files_.find(ep)) return -EBADF;
  if (!set || most <= 0) return -EINVAL;
  int found = 0;
  if (set->lie(*out)) return 1;
  const auto look = [&] { return set->readiness() != 0; };
  const long r = wait(&site_.version, deadline(milliseconds(ms)), look);
  if (r == 0) found = set->collect(std::span(out, static_cast<std::size_t>(most)));
  return r == 0 ? found : r == -ETIMEDOUT ? 0 : r;
}

// --- io_uring(7) ---

long process::ring_setup(unsigned entries, io_uring_params* p) {
  if (!files_.has_room()) return -EMFILE;
  const auto ring = std::make_shared<ring_file>(site_, files_);
  if (const int r = ring->open(entries, *p); r < 0) return r;
  return files_.add(ring, true);
}

long process::ring_enter(const call_args& a) {
  const auto fd = a.as<int>(0);
  const auto ring = std::dynamic_pointer_cast<ring_file>(files_.share(fd));
  if (!ring) return files_.find(fd) ? -EOPNOTSUPP : -EBADF;
  if (!ring->is_enabled()) return -EBADFD;
  const auto complete = a.as<unsigned>(2), flags = a.as<unsigned>(3);
  const auto submitted = a.as<unsigned>(1);
  const int taken = ring->submit(submitted);
  // After a short submission it does not wait: io_uring_enter(2) in Linux.
  const bool is_short = taken < 0 || static_cast<unsigned>(taken) < submitted;
  if (is_short || (flags & IORING_ENTER_GETEVENTS) == 0) return taken;
  clock::time_point until = complete > 0 ? never : site_.world.time.now();
  const auto* const more = a.as<const io_uring_getevents_arg*>(4);
  if (complete > 0 && (flags & IORING_ENTER_EXT_ARG) != 0 && more && more->ts != 0) {
    const auto& t = *reinterpret_cast<const __kernel_timespec*>(more->ts);
    until = deadline(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
  const long r = wait(&site_.version, until, [&] {
    ring->progress();
    return complete > 0 && ring->completions() >= complete;
  });
  if (taken != 0) return taken;
  return r == 0 || complete == 0 ? 0 : r == -ETIMEDOUT ? -ETIME : r;
}

long process::sleep(const timespec* t) {
  if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec > 999'999'999) return -EINVAL;
  const long r = wait(nullptr, deadline(length_of(*t)), [] { return false; });
  return r == -ETIMEDOUT ? 0 : r;
}

// No signal ends it: what a disk does.
void process::spend(clock::duration length) {
  machine& w = site_.world;
  const auto until = w.time.now() + length;
  while (w.time.now() < until) {
    if (wait(nullptr, until, [] { return false; }) == -EDEADLK) return;
  }
}

// Who yields again and again while nothing happens sleeps longer each time, and at last until
// something does: virtual time could not get ahead otherwise.
long process::yield() {
  constexpr clock::duration least = microseconds(1), most = milliseconds(1);
  thread* const me = current_thread();
  yielding& mine = me ? me->yields : yields_;
  const std::uint64_t version = site_.version;
  mine.rest = version == mine.at ? std::clamp(mine.rest * 2, least, most) : least;
  mine.at = version;
  clock::time_point until = site_.world.time.now() + mine.rest;
  if (mine.rest == most && told_) {
    const clock::time_point next = told_->next_deadline();
    until = std::max(until, next == never ? never : next - site_.at.clock_ahead);
  }
  const long r = wait(&site_.version, until, [&] { return site_.version != version; });
  return r == -EDEADLK ? r : 0;
}

long process::futex(std::uint32_t* word, std::uint32_t expected, const timespec* t) {
  const auto changed = [&] { return *word != expected; };
  if (changed()) return -EAGAIN;
  return wait(&site_.version, t ? deadline(length_of(*t)) : never, changed);
}

}  // namespace iolite::simulated

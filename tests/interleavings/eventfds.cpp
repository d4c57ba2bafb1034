// See eventfds.hpp.
#include "eventfds.hpp"

#include "machine.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace interleavings {
namespace {

machine& m() { return machine::it(); }

std::size_t bytes_of(const msghdr& h) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < h.msg_iovlen; ++i) sum += h.msg_iov[i].iov_len;
  return sum;
}

}  // namespace

iolite::clock::time_point eventfds::now() noexcept {
  return iolite::clock::time_point(iolite::clock::duration(m().time_ns));
}

eventfds::file* eventfds::at(int fd) {
  const auto i = static_cast<std::size_t>(fd);
  return fd >= 0 && i < files_.size() && files_[i].open ? &files_[i] : nullptr;
}

void eventfds::learn(const file& f) { m().mem.clock(m().thread()).join(f.known); }

long eventfds::invoke(iolite::call c, const iolite::call_args& a) noexcept {
  using iolite::call;
  const machine::inside here;
  if (c == call::sigaction) return 0;  // no signal comes: tests call what its handler calls
  const int fd = a.as<int>(0);
  const bool makes = c == call::eventfd || c == call::epoll_create1 || c == call::clone ||
                     c == call::join || c == call::detach;
  const bool of_word = c == call::futex_wait || c == call::futex_wake;
  const void* const place = of_word ? a.as<void*>(0) : makes ? static_cast<void*>(this) : at(fd);
  const deed d{iolite::name_of(c).data(), place, __builtin_return_address(0)};
  if (c != call::poll && c != call::fcntl) m().point(d);
  m().land();
  switch (c) {
  case call::eventfd: return add(false);
  case call::epoll_create1: return add(true);
  case call::close: return at(fd) ? (*at(fd) = file{}, 0) : -EBADF;
  case call::fcntl: return at(fd) ? 0 : -EBADF;
  case call::send: return send(fd, a.as<std::size_t>(2));
  case call::sendmsg: return send(fd, bytes_of(*a.as<const msghdr*>(1)));
  case call::write: return write(fd, *a.as<const std::uint64_t*>(1));
  case call::read: return read(fd, a.as<std::uint64_t*>(1));
  case call::poll: return poll(a.as<pollfd*>(0), a.as<std::size_t>(1), a.as<int>(2));
  case call::epoll_ctl: return control(fd, a.as<int>(1), a.as<int>(2), a.as<epoll_event*>(3));
  case call::epoll_wait: return epoll_wait(fd, a.as<epoll_event*>(1), a.as<int>(2), a.as<int>(3));
  case call::clone: return clone(a.as<thread_function*>(0), a.as<void*>(1));
  case call::join: return join(static_cast<int>(a.word[0]));
  case call::detach: return 0;
  case call::futex_wait:
    return futex_wait(a.as<const std::uint32_t*>(0), a.as<std::uint32_t>(1),
                      a.as<const timespec*>(2) != nullptr);
  case call::futex_wake: return futex_wake(a.as<const std::uint32_t*>(0), a.as<int>(1));
  default: m().fail("a system call that is not modelled: " + std::string(iolite::name_of(c)));
  }
}

// --- threads: their numbers are one more than the checker's ---

long eventfds::clone(thread_function* enter, void* argument) {
  return 1 + m().start([=] { enter(argument); });
}

int eventfds::join(int number) {
  const int child = number - 1;
  m().wait([child] { return m().over(child); });
  m().mem.clock(m().thread()).join(m().mem.clock(child));
  return 0;
}

// What is ordered between who waits and who wakes is left to their lock.
int eventfds::futex_wait(const std::uint32_t* word, std::uint32_t expected, bool timed) {
  if (*word != expected) return -EAGAIN;
  const sleeper me{word, ++sleepers_};
  sleeping_.push_back(me);
  const auto woken = [&] { return std::ranges::find(sleeping_, me) == sleeping_.end(); };
  if (m().wait(woken, timed)) return 0;
  std::erase(sleeping_, me);
  return -ETIMEDOUT;
}

int eventfds::futex_wake(const std::uint32_t* word, int most) {
  int n = 0;
  std::erase_if(sleeping_, [&](const sleeper& s) { return s.word == word && n < most && ++n; });
  return n;
}

int eventfds::add(bool is_epoll) {
  const auto f = std::find_if(files_.begin(), files_.end(), [](const file& x) { return !x.open; });
  if (f == files_.end()) return -EMFILE;
  f->open = true;
  f->is_epoll = is_epoll;
  return static_cast<int>(f - files_.begin());
}

int eventfds::sink() {
  const machine::inside here;
  const int fd = add(false);
  at(fd)->is_sink = true;
  return fd;
}

long eventfds::send(int fd, std::size_t bytes) {
  if (!at(fd) || !at(fd)->is_sink) return -ENOTSOCK;
  sunk_ += bytes;
  return static_cast<long>(bytes);
}

long eventfds::write(int fd, std::uint64_t n) {
  file* const f = at(fd);
  if (!f) m().fail("a write to a descriptor that is closed");
  f->count += n;
  f->known.join(m().mem.clock(m().thread()));
  m().mem.tick(m().thread());
  for (file& ep : files_) {
    for (watch& w : ep.watches) w.changed |= w.fd == fd;
  }
  return sizeof n;
}

long eventfds::read(int fd, std::uint64_t* out) {
  file* const f = at(fd);
  if (!f) m().fail("a read of a descriptor that is closed");
  if (f->count == 0) return -EAGAIN;
  *out = std::exchange(f->count, 0);
  learn(*f);
  return sizeof *out;
}

// A wait that has an end may reach it at any time: then time goes on.
template <class Ready>
bool eventfds::wait(int ms, Ready ready) {
  if (ready()) return true;
  if (ms == 0) return false;
  if (m().wait(ready, ms > 0)) return true;
  m().time_ns += std::int64_t{1'000'000} * ms;
  return false;
}

int eventfds::poll(pollfd* fds, std::size_t n, int ms) {
  for (std::size_t i = 0; i < n; ++i)
    m().point({"poll", at(fds[i].fd), __builtin_return_address(0)});
  const auto found_at = [&](const pollfd& p) {
    return static_cast<short>(at(p.fd) ? events_of(*at(p.fd)) & p.events : 0);
  };
  const auto ready = [&] {
    return std::any_of(fds, fds + n, [&](const pollfd& p) { return found_at(p) != 0; });
  };
  if (!wait(ms, ready)) return 0;
  int found = 0;
  for (std::size_t i = 0; i < n; ++i) {
    fds[i].revents = found_at(fds[i]);
    if (fds[i].revents == 0) continue;
    ++found;
    learn(*at(fds[i].fd));
  }
  return found;
}

int eventfds::control(int ep, int what, int fd, const epoll_event* e) {
  if (!at(ep) || !at(fd)) return -EBADF;
  for (watch& w : at(ep)->watches) {
    if (what == EPOLL_CTL_ADD ? w.fd >= 0 : w.fd != fd) continue;
    if (what == EPOLL_CTL_DEL) w = watch{};
    else w = {fd, *e, true};
    return 0;
  }
  return what == EPOLL_CTL_ADD ? -ENOSPC : -ENOENT;
}

short eventfds::events_of(const file& f) {
  return static_cast<short>((f.count > 0 ? POLLIN : 0) | (f.is_sink ? POLLOUT : 0));
}

bool eventfds::reports(const file& f, const watch& w) {
  const auto wanted = static_cast<short>(w.wanted.events & (EPOLLIN | EPOLLOUT));
  return (events_of(f) & wanted) != 0 && ((w.wanted.events & EPOLLET) == 0 || w.changed);
}

int eventfds::epoll_wait(int ep, epoll_event* out, int max, int ms) {
  file* const f = at(ep);
  for (const watch& w : f->watches) {
    if (w.fd >= 0) m().point({"epoll_wait", at(w.fd), __builtin_return_address(0)});
  }
  const auto any = [&] {
    return std::any_of(f->watches.begin(), f->watches.end(),
                       [&](const watch& w) { return at(w.fd) && reports(*at(w.fd), w); });
  };
  if (!wait(ms, any)) return 0;
  int found = 0;
  for (watch& w : f->watches) {
    if (found == max || !at(w.fd) || !reports(*at(w.fd), w)) continue;
    w.changed = false;
    learn(*at(w.fd));
    out[found] = w.wanted;
    out[found++].events = static_cast<std::uint32_t>(events_of(*at(w.fd)));
  }
  return found;
}

}  // namespace interleavings

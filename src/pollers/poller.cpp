// What pollers share: rounding of time-outs, the vocabulary of poll(2), the list of watched
// descriptors.
#include "pollers/poller.hpp"

#include "kernel/poll_bits.hpp"
#include "pollers/watch_list.hpp"

#include <algorithm>
#include <limits>

#ifndef POLLRDHUP  // Linux 2.6.17; elsewhere a half-close is plain readability
#define POLLRDHUP 0
#endif

namespace iolite {

int to_milliseconds(clock::duration timeout) noexcept {
  if (timeout == for_ever) return -1;
  if (timeout <= clock::duration::zero()) return 0;
  constexpr auto most = std::chrono::milliseconds(std::numeric_limits<int>::max());
  if (timeout >= most) return static_cast<int>(most.count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
}

timespec to_timespec(clock::duration timeout) noexcept {
  if (timeout <= clock::duration::zero()) return {};
  // Longer than a day is for ever to a caller who asks again; time_t must not overflow on the way.
  const auto ns = std::chrono::ceil<std::chrono::nanoseconds>(
      std::min<clock::duration>(timeout, std::chrono::hours(24)));
  return {static_cast<time_t>(ns.count() / 1'000'000'000),
          static_cast<long>(ns.count() % 1'000'000'000)};
}

timeval to_timeval(clock::duration timeout) noexcept {
  const timespec t = to_timespec(timeout);
  const long us = (t.tv_nsec + 999) / 1000;
  return {t.tv_sec + us / 1'000'000, us % 1'000'000};
}

short to_poll(interest wanted) noexcept {
  const int half_close = has(wanted, interest::read) ? POLLRDHUP : 0;
  return static_cast<short>(poll_bits(wanted) | half_close);
}

poll_event from_poll(watch_token t, unsigned bits) noexcept {
  // The peer's half-close ends receiving only.
  const interest half_close = (bits & POLLRDHUP) != 0 ? interest::read : interest::none;
  return {t, from_poll_bits(static_cast<int>(bits)) | half_close,
          (bits & (POLLERR | POLLHUP | POLLRDHUP | POLLPRI)) != 0};
}

int check_open(kernel& os, int fd) noexcept {
  pollfd one{fd, 0, 0};
  int r = -EINTR;
  while (r == -EINTR) r = os.poll(&one, 1, 0);
  if (r < 0) return r;
  return fd < 0 || one.revents & POLLNVAL ? -EBADF : 0;
}

int watch_list::update(watch_token t, interest before, interest after) noexcept {
  if (t.fd < 0) return -EBADF;
  const auto at = find(t.fd);
  if ((before == interest::none) != (at == nowhere)) return at == nowhere ? -ENOENT : -EEXIST;
  const auto number = static_cast<std::size_t>(t.fd);
  if (after == interest::none) {
    if (at == nowhere) return 0;
    fds_[at] = fds_.back();
    tokens_[at] = tokens_.back();
    places_[static_cast<std::size_t>(tokens_[at].fd)] = at;
    places_[number] = nowhere;
    fds_.pop_back();
    tokens_.pop_back();
    return 0;
  }
  if (at != nowhere) {
    fds_[at] = {t.fd, to_poll(after), 0};
    tokens_[at] = t;
    return 0;
  }
  try {
    if (number >= places_.size()) places_.resize(number + 1 + number / 2, nowhere);
    fds_.reserve(fds_.size() + 1 > fds_.capacity() ? fds_.size() * 2 + 8 : 0);
    tokens_.reserve(fds_.capacity());
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  places_[number] = fds_.size();
  fds_.push_back({t.fd, to_poll(after), 0});
  tokens_.push_back(t);
  return 0;
}

}  // namespace iolite

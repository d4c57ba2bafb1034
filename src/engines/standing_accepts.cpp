// See standing_accepts.hpp.
#include "engines/standing_accepts.hpp"

#include "kernel/ring_names.hpp"

#include <cerrno>
#include <new>
#include <sys/socket.h>

namespace iolite {

standing_accepts::listening* standing_accepts::find(int fd) noexcept {
  for (listening& l : std::span(all_).first(used_))
    if (l.fd == fd) return &l;
  return nullptr;
}

standing_accepts::listening* standing_accepts::find(const operation& op) noexcept {
  listening* l = find(op.fd);
  if (!l) l = find(-1);
  if (!l && used_ < most) l = &all_[used_++];
  if (!l) return nullptr;
  l->fd = op.fd;
  if (l->stands || l->has_news()) return l;
  if (!known_) return nullptr;
  if (l->asked < often) return ++l->asked, nullptr;
  if (!l->came) l->came.reset(new (std::nothrow) int[room]);
  return l->came ? l : nullptr;
}

void standing_accepts::note(kernel& os, listening& l, int result, bool more) noexcept {
  news_ = true;
  if (!more) l.stands = l.ending = false;
  if (result >= 0) {
    if (l.last - l.first == room) os.close(result);
    else l.came[l.last++ % room] = result;
  } else if (result == -EINVAL) {
    known_ = false;  // or not a listening socket: accept(2) will say so
  } else if (result != -ECANCELED && l.asks) {  // who asks later will be told what is then
    l.failed = result;
  }
}

int standing_accepts::take(listening& l) noexcept {
  if (l.first != l.last) return l.came[l.first++ % room];
  return l.failed != 0 ? std::exchange(l.failed, 0) : -EAGAIN;
}

void standing_accepts::forget(kernel& os, listening& l) noexcept {
  while (l.first != l.last) os.close(take(l));
  l = {};
}

void standing_accepts::fill(io_uring_sqe& sqe, const listening& l) noexcept {
  sqe.opcode = IORING_OP_ACCEPT;
  sqe.fd = l.fd;
  sqe.ioprio = ring_accept_multishot;
  sqe.accept_flags = SOCK_CLOEXEC;
}

}  // namespace iolite

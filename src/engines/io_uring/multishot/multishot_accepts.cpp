// See multishot_accepts.hpp.
#include "engines/io_uring/multishot/multishot_accepts.hpp"

#include "kernel/ring_names.hpp"

#include <cerrno>
#include <new>
#include <sys/socket.h>
#include <utility>

namespace iolite {

std::optional<engine::started> multishot_accepts::start(operation& op) noexcept {
  listening* const l = find_or_make(op.fd);
  if (!l) return std::nullopt;
  op.outcome = take(*l);
  if (op.outcome != -EAGAIN) return engine::started::done;
  l->asks = &op;
  if (!l->stands) submit(*l);
  return engine::started::pending;
}

bool multishot_accepts::cancel(const operation& op) noexcept {
  listening* const l = find(op.fd);
  if (!l || l->asks != &op) return false;
  l->asks = nullptr;
  return true;
}

bool multishot_accepts::note(const io_uring_cqe& cqe) noexcept {
  const std::uint64_t number = cqe.user_data - ring_tag::first_accept;
  if (number >= most) return false;
  listening& l = all_[number];
  news_ = true;
  l.note(cqe);
  if (cqe.res >= 0) {
    if (l.last - l.first == room) os_.close(cqe.res);
    else l.came[l.last++ % room] = cqe.res;
  } else if (cqe.res == -EINVAL) {
    known_ = false;  // or not a listening socket: accept(2) will say so
  } else if (cqe.res != -ECANCELED && l.asks) {  // a later accept finds out by itself
    l.failed = cqe.res;
  }
  return true;
}

operation* multishot_accepts::next() noexcept {
  if (!news_) return nullptr;
  for (listening& l : used())
    if (l.asks && (!l.stands || l.has_come())) return std::exchange(l.asks, nullptr);
  news_ = false;
  return nullptr;
}

void multishot_accepts::end_unasked() noexcept {
  for (listening& l : used()) {
    if (!l.stands || l.asks) continue;
    l.asked = 0;
    l.end(by_, tag(l));
  }
}

void multishot_accepts::end_all() noexcept {
  for (listening& l : used()) l.end(by_, tag(l));  // all by one call
  for (listening& l : used()) l.end_now(by_, tag(l));
}

bool multishot_accepts::stop(int fd) noexcept {
  listening* const l = find(fd);
  if (!l) return false;
  l->one_by_one = true;
  l->end_now(by_, tag(*l));
  return l->has_come();
}

void multishot_accepts::forget(int fd) noexcept {
  listening* const l = find(fd);
  if (!l) return;
  l->end_now(by_, tag(*l));  // while the kernel has it, the socket would stay open
  while (l->first != l->last) os_.close(take(*l));
  *l = {};
}

multishot_accepts::listening* multishot_accepts::find(int fd) noexcept {
  for (listening& l : used())
    if (l.fd == fd) return &l;
  return nullptr;
}

multishot_accepts::listening* multishot_accepts::find_or_make(int fd) noexcept {
  listening* l = find(fd);
  if (!l) l = find(-1);
  if (!l && used_ < most) l = &all_[used_++];
  if (!l) return nullptr;
  l->fd = fd;
  if (l->stands || l->has_come()) return l;
  if (!known_ || l->one_by_one) return nullptr;
  if (l->asked < often) return ++l->asked, nullptr;
  if (!l->came) l->came.reset(new (std::nothrow) int[room]);
  return l->came ? l : nullptr;
}

// The oldest that has come, or -EAGAIN.
int multishot_accepts::take(listening& l) noexcept {
  if (l.first != l.last) return l.came[l.first++ % room];
  return l.failed != 0 ? std::exchange(l.failed, 0) : -EAGAIN;
}

void multishot_accepts::submit(listening& l) noexcept {
  io_uring_sqe& sqe = by_.take(tag(l));
  sqe.opcode = IORING_OP_ACCEPT;
  sqe.fd = l.fd;
  sqe.ioprio = ring_accept_multishot;
  sqe.accept_flags = SOCK_CLOEXEC;
  l.stands = true;
}

}  // namespace iolite

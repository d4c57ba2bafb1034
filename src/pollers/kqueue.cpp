// kqueue(2), of the BSDs and macOS: the kernel keeps the list, as epoll(7), but of filters: reading
// and writing of one descriptor are two entries.
//
// The idea: changes go in as one kevent() call of at most two entries, each answered by a receipt,
// so that an update fails as a whole; events of one descriptor are merged after the wait.
//
// Not compiled on Linux, and never yet run: written from the manual pages.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <sys/event.h>

namespace iolite {
namespace {

class kqueue_poller final : public poller {
 public:
  kqueue_poller(kernel& os, int kq) noexcept : os_(os), kq_(kq) {}
  // A kqueue is not inherited by fork(2): in a child the number is not ours, and closing it would
  // close whatever has it now.
  ~kqueue_poller() override {
    if (os_.getpid() == pid_) os_.close(kq_);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "kqueue"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.edge = true, .oneshot = true, .files = true};
  }
  [[nodiscard]] int native_handle() const noexcept override { return kq_; }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (t.fd < 0) return -EBADF;
    if (const int r = watched_.update(t, before, after); r < 0) return r;
    int r =
        change(t.fd, EVFILT_READ, has(before, interest::read), has(after, interest::read), after);
    if (r == 0)
      r = change(t.fd, EVFILT_WRITE, has(before, interest::write), has(after, interest::write),
                 after);
    if (after == interest::none) return 0;  // removing one that is closed succeeds
    if (r == 0) {
      watched_[watched_.find(t.fd)].revents = has(after, interest::oneshot);  // the mark of add()
      return 0;
    }
    change(t.fd, EVFILT_READ, has(after, interest::read), has(before, interest::read), before);
    static_cast<void>(watched_.update(t, after, before));
    return r;
  }

  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    if (!make_room(events_, batch)) return -ENOMEM;
    struct kevent raw[batch];
    const timespec t = to_timespec(timeout);
    const int n = os_.kevent(kq_, nullptr, 0, raw, batch, timeout == for_ever ? nullptr : &t);
    for (int i = 0; i < n; ++i) add(raw[i]);
    return n <= 0 ? n : events_.empty() ? -EINTR : static_cast<int>(events_.size());
  }

 private:
  static constexpr int batch = 256;

  // EV_ADD of an entry that exists changes it, but EV_CLEAR stays: hence EV_DELETE before a change.
  // EV_DISPATCH disables the entry that fired; disarm_other() the other one, because oneshot means
  // one report and not one for each filter.
  int change(int fd, short filter, bool was, bool wanted, interest mode) noexcept {
    if (!was && !wanted) return 0;
    if (was && wanted) {
      if (const int r = change(fd, filter, true, false, mode); r < 0) return r;
    }
    int flags = wanted ? EV_ADD | EV_ENABLE : EV_DELETE;
    if (wanted && has(mode, interest::edge)) flags |= EV_CLEAR;
    if (wanted && has(mode, interest::oneshot)) flags |= EV_DISPATCH;
    struct kevent in, out;
    EV_SET(&in, static_cast<uintptr_t>(fd), filter, static_cast<unsigned short>(flags | EV_RECEIPT),
           0, 0, nullptr);
    const int n = os_.kevent(kq_, &in, 1, &out, 1, nullptr);
    if (n < 0) return n;
    const int error = n == 1 && out.flags & EV_ERROR ? static_cast<int>(out.data) : 0;
    return !wanted && (error == ENOENT || error == EBADF) ? 0 : -error;
  }

  void add(const struct kevent& e) noexcept {
    const auto at = watched_.find(static_cast<int>(e.ident));
    if (at == watch_list::nowhere) return;
    // EV_EOF: for reading the peer's half-close, for writing that nobody will read: a hang-up.
    if (watched_[at].revents != 0) disarm_other(e);
    const bool writing = e.filter == EVFILT_WRITE, over = (e.flags & EV_EOF) != 0;
    const unsigned bits = writing ? (over ? POLLHUP : POLLOUT) : static_cast<unsigned>(POLLIN);
    poll_event now = from_poll(watched_.token(at), bits);
    now.hang_up = now.hang_up || over || e.fflags != 0;  // fflags: the socket's error
    for (poll_event& seen : events_) {
      if (seen.token.fd != now.token.fd) continue;
      seen.ready = seen.ready | now.ready;
      seen.hang_up = seen.hang_up || now.hang_up;
      return;
    }
    events_.push_back(now);
  }

  void disarm_other(const struct kevent& fired) noexcept {
    struct kevent other, out;
    const short filter = fired.filter == EVFILT_READ ? EVFILT_WRITE : EVFILT_READ;
    EV_SET(&other, fired.ident, filter, EV_DISABLE | EV_RECEIPT, 0, 0, nullptr);
    os_.kevent(kq_, &other, 1, &out, 1, nullptr);  // ENOENT: only one was asked for
  }

  kernel& os_;
  const int pid_ = os_.getpid();
  const int kq_;
  watch_list watched_;
};

}  // namespace

made_poller make_kqueue(kernel& os, const poller_options&) {
  const int kq = os.kqueue();
  if (kq < 0) return {nullptr, kq};
  auto* p = new (std::nothrow) kqueue_poller(os, kq);
  if (!p) os.close(kq);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite
// tidy: allow file-length, one registration is two filters

// epoll(7): the kernel keeps the list, a wait costs what is ready and not what is watched.
//
// The idea: epoll_event carries 64 bits of ours; they are the token, so an event needs no look-up
// and shows its generation.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <utility>

namespace iolite {
namespace {

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
              EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP && EPOLLPRI == POLLPRI);

class epoll_poller final : public poller {
 public:
  epoll_poller(kernel& os, int ep, bool states) noexcept : os_(os), ep_(ep), states_(states) {}
  // No EPOLL_CTL_DEL here: after a fork(2) the set is shared, and it is the parent's.
  ~epoll_poller() override { os_.close(ep_); }

  [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.edge = true, .oneshot = true};
  }
  [[nodiscard]] int native_handle() const noexcept override { return ep_; }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (after == interest::none) {
      const int r = os_.epoll_ctl(ep_, EPOLL_CTL_DEL, t.fd, nullptr);
      // The last close(2) took it out of the set; the number may name another file by now.
      return r == -EBADF || r == -ENOENT ? 0 : r;
    }
    epoll_event e{};
    e.events = static_cast<unsigned>(to_poll(after));
    if (has(after, interest::edge)) e.events |= EPOLLET;
    // A receive is short at a byte out of band, and what follows it is no change: see tcp(7).
    if (has(after, interest::edge) && !states_) e.events |= EPOLLPRI;
    if (has(after, interest::oneshot)) e.events |= EPOLLONESHOT;
    e.data.u64 = std::uint64_t{t.generation} << 32 | static_cast<std::uint32_t>(t.fd);
    return os_.epoll_ctl(ep_, before == interest::none ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, t.fd, &e);
  }

  // A duplicate (of dup(2), of fork(2)) keeps a closed descriptor's entry, which no number reaches
  // any more: epoll(7), question 6. The number of the set stays, for whoever has nested it.
  int clear() noexcept override {
    const int fresh = os_.epoll_create1(EPOLL_CLOEXEC);
    if (fresh < 0) return fresh;
    const int r = os_.dup3(fresh, ep_, O_CLOEXEC);
    os_.close(fresh);
    return r < 0 ? r : 0;
  }

  int wait(clock::duration timeout) noexcept override {
    // A full batch says that more are waiting: take twice as many, if there is memory.
    if (events_.size() == raw_.size() && raw_.size() < batch_max) make_batch(raw_.size() * 2);
    events_.clear();
    const int n =
        os_.epoll_wait(ep_, raw_.data(), static_cast<int>(raw_.size()), to_milliseconds(timeout));
    for (int i = 0; i < n; ++i) {
      const epoll_event& e = raw_[static_cast<std::size_t>(i)];
      const watch_token t{static_cast<int>(e.data.u64 & 0xffff'ffff),
                          static_cast<std::uint32_t>(e.data.u64 >> 32)};
      events_.push_back(from_poll(t, e.events));
    }
    return n;
  }

  static constexpr std::size_t batch_min = 256, batch_max = 8192;

  bool make_batch(std::size_t n) noexcept try {
    events_.reserve(n);
    raw_.resize(n);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

 private:
  kernel& os_;
  const int ep_;
  const bool states_;
  std::vector<epoll_event> raw_;
};

}  // namespace

made_poller make_epoll(kernel& os, const poller_options& options) {
  const int ep = os.epoll_create1(EPOLL_CLOEXEC);
  if (ep < 0) return {nullptr, ep};
  std::unique_ptr<epoll_poller> p(new (std::nothrow) epoll_poller(os, ep, options.states));
  if (!p) os.close(ep);
  if (!p || !p->make_batch(epoll_poller::batch_min)) return {nullptr, -ENOMEM};
  return {std::move(p), 0};
}

}  // namespace iolite

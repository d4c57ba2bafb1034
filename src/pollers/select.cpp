// select(2): three sets of 1,024 bits. It knows neither hang-ups nor errors, and no larger numbers.
//
// The idea: the sets are an answer, but where one who is watched for writing is readable only: that
// may be a hang-up, which poll(2) tells. So one that is watched for writing alone is in the read
// set too. While it is merely readable it would end every wait: it is left out (muted), and looked
// at with poll(2) in each wait and every 20 ms while it lasts.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <algorithm>

namespace iolite {
namespace {

class select_poller final : public poller {
 public:
  explicit select_poller(kernel& os) noexcept : os_(os) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "select"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.files = true, .fd_limit = FD_SETSIZE};
  }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (t.fd >= FD_SETSIZE) return -EINVAL;  // FD_SET would write behind its array: select(2)
    if (t.fd < 0) return -EBADF;
    const int r = before == interest::none ? check_open(os_, t.fd) : 0;
    if (r < 0) return r;
    mute(t.fd, false);
    return update_with_room(watched_, t, before, after, events_, look_);
  }

  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    const bool ends = timeout != for_ever;
    const clock::time_point until = ends ? deadline_after(os_.now(), timeout) : never;
    for (clock::duration left = timeout;;) {
      if (const int r = look_at_muted(); r < 0) return r;
      const bool in_slices = muted_count_ > 0 && left > slice;
      const int n = ask(in_slices ? slice : left);
      if (n < 0 && events_.empty()) return n;
      if (!events_.empty()) return static_cast<int>(events_.size());
      if (n == 0 && !in_slices) return 0;
      if (ends) left = std::max(until - os_.now(), clock::duration::zero());
    }
  }

 private:
  static constexpr clock::duration slice = std::chrono::milliseconds(20);

  // 0: it is over. Positive: something was found, though perhaps nothing that was asked for.
  int ask(clock::duration timeout) noexcept {
    if (!events_.empty()) timeout = clock::duration::zero();
    timeval tv = to_timeval(timeout);
    fd_set read, write;
    const int top = fill(read, write);
    const int n = os_.select(top, &read, &write, nullptr, timeout == for_ever ? nullptr : &tv);
    if (n == 0 || (n < 0 && n != -EBADF)) return n;
    look_.clear();
    for (const pollfd& p : watched_.fds()) {  // EBADF does not say which: look at all
      if (p.fd < 0) continue;
      const bool in = FD_ISSET(p.fd, &read), out = FD_ISSET(p.fd, &write);
      if (n < 0 ? !is_muted(p.fd) : in && !out && (p.events & POLLOUT)) look_.push_back(p);
      else if (n > 0 && (in || out))
        add(p.fd, ((in ? POLLIN : 0) | (out ? POLLOUT : 0)) & p.events);
    }
    const int r = look();
    return r < 0 ? r : 1;
  }

  // The sets for this wait, and one more than the highest descriptor in them.
  int fill(fd_set& read, fd_set& write) noexcept {
    int top = 0;
    read = write = {};
    for (const pollfd& p : watched_.fds()) {
      if (p.fd < 0) continue;
      if (p.events & POLLOUT) FD_SET(p.fd, &write);
      if (!is_muted(p.fd)) FD_SET(p.fd, &read);
      top = std::max(top, p.fd + 1);
    }
    return top;
  }

  void add(int fd, int bits) noexcept {
    events_.push_back(from_poll(watched_.token(watched_.find(fd)), static_cast<unsigned>(bits)));
  }

  // What poll(2) says of those in look_ that select(2) has left open. 0 or -errno.
  int look() noexcept {
    const int n = look_.empty() ? 0 : os_.poll(look_.data(), look_.size(), 0);
    if (n < 0) return n;
    for (const pollfd& p : look_) {
      if (p.revents & POLLNVAL) watched_.silence(watched_.find(p.fd));
      else if (p.revents != 0) add(p.fd, p.revents);
      else if (!(p.events & POLLIN)) mute(p.fd, true);
    }
    return 0;
  }

  int look_at_muted() noexcept {
    if (muted_count_ == 0) return 0;
    look_.clear();
    for (const pollfd& p : watched_.fds()) {
      if (p.fd >= 0 && is_muted(p.fd)) look_.push_back({p.fd, POLLIN | POLLOUT, 0});
    }
    const int n = os_.poll(look_.data(), look_.size(), 0);
    if (n < 0) return n;
    for (const pollfd& p : look_) {
      if (p.revents == POLLIN) continue;
      mute(p.fd, false);
      if (p.revents & POLLNVAL) watched_.silence(watched_.find(p.fd));
    }
    return 0;
  }

  [[nodiscard]] bool is_muted(int fd) const noexcept { return FD_ISSET(fd, &muted_); }
  void mute(int fd, bool on) noexcept {
    if (is_muted(fd) == on) return;
    if (on) FD_SET(fd, &muted_), ++muted_count_;
    else FD_CLR(fd, &muted_), --muted_count_;
  }

  kernel& os_;
  watch_list watched_;
  fd_set muted_{};  // watched for writing alone; readable, and not hung up
  int muted_count_ = 0;
  std::vector<pollfd> look_;
};

}  // namespace

made_poller make_select(kernel& os, const poller_options&) {
  auto* p = new (std::nothrow) select_poller(os);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite
// tidy: allow file-length, what select(2) does not tell has to be looked at

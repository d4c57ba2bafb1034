// select(2): three sets of 1,024 bits. It knows neither hang-ups nor errors, and no larger numbers.
//
// The idea: the sets are an answer, but where one who is watched for writing is readable only: that
// may be a hang-up, which poll(2) tells. So who is watched for writing alone stands in the read set
// too; while merely readable it is left out, and looked at every 20 ms.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <algorithm>
#include <optional>

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
    const int r = before == interest::none ? check_open(os_, t.fd) : 0;
    return r < 0 ? r : update_with_room(watched_, t, before, after, events_, look_);
  }

  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    const auto muted = muted_until_ ? *muted_until_ - os_.now() : clock::duration::zero();
    if (muted <= clock::duration::zero()) muted_until_.reset();
    const bool sliced = muted_until_ && timeout > muted;
    timeval tv = to_timeval(sliced ? muted : timeout);
    fd_set read, write;
    const int top = fill(read, write);
    timeval* const limit = timeout == for_ever && !sliced ? nullptr : &tv;
    const int n = os_.select(top, &read, &write, nullptr, limit);
    if (n == 0 || (n < 0 && n != -EBADF)) return sliced && n == 0 ? -EINTR : n;
    look_.clear();
    for (const pollfd& p : watched_.fds()) {  // EBADF does not say which: look at all
      if (p.fd < 0) continue;
      const bool in = FD_ISSET(p.fd, &read), out = FD_ISSET(p.fd, &write);
      if (n < 0 || (in && !out && (p.events & POLLOUT))) look_.push_back(p);
      else if (in || out) add(p.fd, ((in ? POLLIN : 0) | (out ? POLLOUT : 0)) & p.events);
    }
    return look();
  }

 private:
  static constexpr auto slice = std::chrono::milliseconds(20);

  // The sets for this wait, and one more than the highest descriptor in them.
  int fill(fd_set& read, fd_set& write) noexcept {
    int top = 0;
    read = write = {};
    for (const pollfd& p : watched_.fds()) {
      if (p.fd < 0) continue;
      if (p.events & POLLOUT) FD_SET(p.fd, &write);
      if (p.events & POLLIN || !muted_until_ || !FD_ISSET(p.fd, &muted_)) FD_SET(p.fd, &read);
      top = std::max(top, p.fd + 1);
    }
    return top;
  }

  void add(int fd, int bits) noexcept {
    events_.push_back(from_poll(watched_.token(watched_.find(fd)), static_cast<unsigned>(bits)));
  }

  int look() noexcept {
    const int n = look_.empty() ? 0 : os_.poll(look_.data(), look_.size(), 0);
    if (n < 0 && events_.empty()) return n;
    for (const pollfd& p : look_) {
      if (p.revents & POLLNVAL) watched_.silence(watched_.find(p.fd));
      else if (p.revents != 0) add(p.fd, p.revents);
      else if (!(p.events & POLLIN)) {
        if (!muted_until_) muted_ = {}, muted_until_ = os_.now() + slice;
        FD_SET(p.fd, &muted_);
      }
    }
    return events_.empty() ? -EINTR : static_cast<int>(events_.size());
  }

  kernel& os_;
  watch_list watched_;
  fd_set muted_{};  // readable, which nobody asked for, and not hung up
  std::optional<clock::time_point> muted_until_;  // all of them: one would end another's silence
  std::vector<pollfd> look_;
};

}  // namespace

made_poller make_select(kernel& os, const poller_options&) {
  auto* p = new (std::nothrow) select_poller(os);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite

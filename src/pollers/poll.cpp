// poll(2): the whole list goes to the kernel with every wait.
//
// The idea: keep the list in the very form poll(2) takes, dense, so that a wait copies nothing.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

namespace iolite {
namespace {

class poll_poller final : public poller {
 public:
  explicit poll_poller(kernel& os) noexcept : os_(os) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "poll"; }
  [[nodiscard]] poller_traits traits() const noexcept override { return {.files = true}; }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (before == interest::none) {
      if (const int r = check_open(os_, t.fd); r < 0) return r;
    }
    return update_with_room(watched_, t, before, after, events_);
  }

  // More entries than RLIMIT_NOFILE allows are EINVAL: poll(2).
  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    const auto fds = watched_.fds();
    const int n = os_.poll(fds.data(), fds.size(), to_milliseconds(timeout));
    if (n <= 0) return n;
    for (std::size_t i = 0, left = static_cast<std::size_t>(n); i < fds.size() && left > 0; ++i) {
      if (fds[i].revents == 0) continue;
      --left;
      if (fds[i].revents & POLLNVAL) watched_.silence(i);
      else events_.push_back(from_poll(watched_.token(i), static_cast<unsigned>(fds[i].revents)));
    }
    return events_.empty() ? -EINTR : static_cast<int>(events_.size());  // only closed ones: go on
  }

 private:
  kernel& os_;
  watch_list watched_;
};

}  // namespace

made_poller make_poll(kernel& os, const poller_options&) {
  auto* p = new (std::nothrow) poll_poller(os);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite

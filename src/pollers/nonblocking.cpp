// No facility at all: everyone is asked, again and again, by the calls that would do the work.
//
// The idea: every watched descriptor is a candidate in every turn. A turn without progress was in
// vain, and before the next the idle strategy decides what that costs.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

#include <algorithm>

namespace iolite {
namespace {

using namespace std::chrono_literals;

class nonblocking_poller final : public poller {
 public:
  nonblocking_poller(kernel& os, idle_strategy idle) noexcept : os_(os), idle_(idle) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "nonblocking"; }
  [[nodiscard]] poller_traits traits() const noexcept override {
    return {.files = true, .candidates = true};
  }

  int update(watch_token t, interest before, interest after) noexcept override {
    if (before == interest::none) {
      if (const int r = check_open(os_, t.fd); r < 0) return r;
    }
    updated_ = true;
    return update_with_room(watched_, t, before, after, events_);
  }

  void progress() noexcept override { updated_ = true; }

  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    if (watched_.size() == 0) return sleep(timeout);
    if (updated_) rest_ = rest_min;
    else if (const int r = idle(timeout); r < 0) return r;
    updated_ = false;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      const auto asked = static_cast<unsigned>(watched_[i].events);
      events_.push_back(from_poll(watched_.token(i), asked & (POLLIN | POLLOUT)));
    }
    return static_cast<int>(events_.size());
  }

 private:
  static constexpr clock::duration rest_min = 50us, rest_max = 1ms;

  int idle(clock::duration timeout) noexcept {
    if (timeout <= clock::duration::zero() || idle_ == idle_strategy::spin) return 0;
    if (idle_ == idle_strategy::yield) return os_.sched_yield();
    const auto length = std::min(rest_, timeout);
    rest_ = std::min(rest_ * 2, rest_max);
    return sleep(length);
  }

  int sleep(clock::duration length) noexcept {
    const timespec t = to_timespec(length);
    return os_.nanosleep(&t);
  }

  kernel& os_;
  const idle_strategy idle_;
  bool updated_ = true;
  clock::duration rest_ = rest_min;
  watch_list watched_;
};

}  // namespace

made_poller make_nonblocking(kernel& os, const poller_options& options) {
  auto* p = new (std::nothrow) nonblocking_poller(os, options.idle);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite

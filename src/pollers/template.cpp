// NAME(section): what the facility is, in one sentence.
//
// The idea: the one thought that makes this file work. Copy this file, replace every body, add one
// line to models.cpp. The comments say what must be true; the tests ask for it.
#include "pollers/poller.hpp"

#include "pollers/watch_list.hpp"

namespace iolite {
namespace {

class template_poller final : public poller {
 public:
  // Every system call goes through `os`, else simulation and fault tests do not see it.
  explicit template_poller(kernel& os) noexcept : os_(os) {}
  // Closes what make_ opened and nothing else: after a fork(2) the child destroys it too, and must
  // not change what the parent is told.
  ~template_poller() override = default;

  [[nodiscard]] std::string_view name() const noexcept override { return "template"; }
  // What differs from level-triggered answers for any descriptor. Declare it; nothing asks for
  // names.
  [[nodiscard]] poller_traits traits() const noexcept override { return {.files = true}; }
  // A descriptor that is readable when wait() would return something, or -1.
  [[nodiscard]] int native_handle() const noexcept override { return -1; }

  // Adding checks the descriptor: -EBADF for a closed one, -EINVAL at or above traits().fd_limit,
  // -EPERM where the facility refuses the kind. Removing a closed one succeeds. `t.generation`
  // comes back with every event. On failure nothing has changed.
  int update(watch_token t, interest before, interest after) noexcept override {
    if (before == interest::none) {
      if (const int r = check_open(os_, t.fd); r < 0) return r;
    }
    return watched_.update(t, before, after);
  }

  // Returns when something is ready or `timeout` has passed, rounded up; zero looks once and
  // `for_ever` has no end. Each descriptor at most once, with all of its events. One that was
  // closed without update() is neither reported nor the cause of a failure or a busy loop. -EINTR
  // when a signal came, or nothing useful: the caller goes on with the time left. Never allocates
  // after the events were found: what was found must not be lost.
  int wait(clock::duration timeout) noexcept override {
    events_.clear();
    if (!make_room(events_, watched_.size())) return -ENOMEM;
    const int n = os_.poll(nullptr, 0, to_milliseconds(timeout));
    return n < 0 ? n : static_cast<int>(events_.size());
  }
  // Not changed by update(): callers remove and add while they go through it.

 private:
  kernel& os_;
  watch_list watched_;
};

}  // namespace

// Opens what the facility needs; on failure closes it again and says -errno.
made_poller make_template(kernel& os, const poller_options&) {
  auto* p = new (std::nothrow) template_poller(os);
  return {std::unique_ptr<poller>(p), p ? 0 : -ENOMEM};
}

}  // namespace iolite

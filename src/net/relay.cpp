// See relay.hpp: when a session is over.
#include "iolite/relay.hpp"

#include "iolite/time.hpp"

#include <algorithm>

namespace iolite {
namespace {

clock::duration or_none(clock::duration limit) noexcept {
  return limit > clock::duration::zero() ? limit : clock::duration::max();
}

}  // namespace

detail::relay_session::relay_session(const relay_limits& limits) noexcept
    : limits_(limits), ends_at_(deadline_after(now(), or_none(limits.session))),
      moved_at_(now().time_since_epoch().count()) {}

void detail::relay_session::ended(std::error_code why) noexcept {
  const std::lock_guard hold(lock_);
  --running_;
  half_closed_at_ = now();
  if (why && !error_) error_ = why;
  changed_.set();
}

std::error_code detail::relay_session::error() const noexcept {
  const std::lock_guard hold(lock_);
  return error_;
}

clock::time_point detail::relay_session::limit() const noexcept {
  const clock::time_point moved(clock::duration(moved_at_.load(relaxed)));
  const clock::time_point idle = deadline_after(moved, or_none(limits_.idle));
  const clock::time_point alone = deadline_after(half_closed_at_, or_none(limits_.half_closed));
  return std::min({ends_at_, idle, alone});
}

// The first error ends both directions, whoever has met it.
task<void> detail::relay_session::watch(scope& directions) {
  for (;;) {
    clock::time_point until;
    {
      const std::lock_guard hold(lock_);
      changed_.reset();
      if (running_ == 0 || error_) break;
      until = limit();
      if (now() >= until) {
        error_ = std::make_error_code(std::errc::timed_out);
        break;
      }
    }
    auto change = changed_.wait();
    change.deadline = until;
    const auto changed = co_await change;
    if (changed || changed.error() == std::errc::timed_out) continue;
    const std::lock_guard hold(lock_);
    if (!error_) error_ = changed.error();
    break;
  }
  directions.cancel();
}

}  // namespace iolite

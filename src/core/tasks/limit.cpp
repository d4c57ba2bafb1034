// See limit.hpp.
#include "iolite/limit.hpp"

#include "base/assert.hpp"
#include "iolite/core/engine.hpp"

namespace iolite {

clock::time_point detail::bound::from_now(const context& c) const noexcept {
  if (length == clock::duration::max()) return end;
  return std::min(end, deadline_after(c.on->now(), length));
}

detail::limit::limit(bool shield) noexcept : scope_state{nullptr} {
  shields = shield;
  timer_.kind = op_kind::event;
  timer_.payload = static_cast<event_source*>(this);
}

void detail::limit::enter(const context& c, clock::time_point until) noexcept {
  IOLITE_ASSERT(c.in, "a limit is set inside a task");
  task_ = c.in;
  on = c.on;
  outer = task_->of;
  cancel_asked = outer->cancel_asked && !shields;
  has_cut = false;
  unwaited = outer->unwaited;
  task_->of = this;
  timer_.cancel_requested = timer_.timed_out = false;
  timer_.deadline = until;
  if (until != never) on->start(timer_);
}

void detail::limit::leave() noexcept {
  task_->of = outer;
  outer->unwaited = unwaited;
  if (timer_.state == op_state::pending) on->post(timer_, 0);
}

// The time is over.
bool detail::limit::forget(operation&) noexcept {
  cancel_asked = true;
  task_->cancel_by(*this);
  return true;
}

}  // namespace iolite

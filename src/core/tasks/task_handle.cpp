// See task_handle.hpp. On a blocking engine the child is a thread: what it shares with its handle
// is behind the lock of the scope, which exists as long as the child runs.
#include "iolite/task_handle.hpp"

#include "base/assert.hpp"
#include "iolite/scope.hpp"

#include <memory>

namespace iolite {

void detail::drop_handle(child_record& c) noexcept {
  IOLITE_ASSERT(!c.awaited, "a task_handle outlives the task that awaits it");
  std::unique_ptr<child_record> last;
  if (c.ended.load(std::memory_order_acquire)) {
    last.reset(&c);
    return;
  }
  const auto hold = scope::of(c).guard();
  c.held = false;
  if (c.ended.load(std::memory_order_relaxed)) last.reset(&c);
}

void detail::cancel_child(child_record& c) noexcept {
  if (c.ended.load(std::memory_order_acquire)) return;
  scope& of = scope::of(c);
  if (!of.threaded_) of.on->check_thread();
  const auto hold = of.guard();
  if (c.ended.load(std::memory_order_relaxed)) return;
  if (of.threaded_) return c.runs_on->request_cancel();
  c.cancel_asked = true;
  c.cancel_by(c);
}

bool detail::child_wait::begin_wait(std::coroutine_handle<> h, context c) noexcept {
  awaiting_ = c.in;
  child_.awaited = true;
  if (child_.ended.load(std::memory_order_acquire)) return begin_over(h, c);
  scope& of = scope::of(child_);
  if (!of.threaded_) of.on->check_thread();
  if (c.in->of->cancel_asked) {
    cancel_child(child_);
    c.in = nullptr;  // it waits nevertheless
  }
  kind = op_kind::event;
  payload = static_cast<event_source*>(this);
  const auto hold = of.guard();
  if (child_.ended.load(std::memory_order_relaxed)) return begin_over(h, c);
  IOLITE_ASSERT(!child_.waiter, "one task awaits a child");
  if (!begin(h, c)) return false;
  if (!waits()) return true;
  child_.waiter = this;
  has_waited_ = true;
  return true;
}

// The child is to end, and the wait with it.
bool detail::child_wait::forget(operation&) noexcept {
  cancel_child(child_);
  return false;
}

void detail::child_wait::end_wait() {
  if (std::exchange(has_waited_, false)) {
    // Whoever woke us holds the lock until it has let go of the engine too.
    const auto hold = scope::of(child_).guard();
  }
  child_.awaited = false;
  end();
  if (child_.has_cut && awaiting_) awaiting_->note_cut();
  if (child_.thrown) std::rethrow_exception(child_.thrown);
}

}  // namespace iolite

// See event.hpp. The thread that takes an operation off a list completes it; the list's lock
// decides which.
#include "iolite/event.hpp"

#include "base/assert.hpp"

#include <utility>

namespace iolite {
namespace detail {

wait_list::~wait_list() {
  const std::lock_guard hold(lock_);
  IOLITE_ASSERT(waits_ == 0, "an event or channel outlives those who wait for it");
}

// op.source_state says whether it is on the list: the hooks do not, a post uses them too.
bool wait_list::forget(operation& op) noexcept {
  const std::lock_guard hold(lock_);
  if (op.source_state == 0) return false;
  op.source_state = 0;
  waiting_.remove(op);
  return true;
}

bool wait_list::wake_one() noexcept {
  operation* op = waiting_.pop();
  if (!op) return false;
  op->source_state = 0;
  op->on->post(*op, 0);
  return true;
}

void wait_list::wake_all() noexcept {
  while (wake_one()) {
  }
}

bool listed_operation::begin_on(wait_list& list, std::coroutine_handle<> h,
                                const context& c) noexcept {
  kind = op_kind::event;
  payload = static_cast<event_source*>(&list);
  ++list.waits_;
  if (!begin(h, c)) return false;
  if (!waits()) return true;
  list.waiting_.push(*this);
  source_state = 1;
  return true;
}

result<void> listed_operation::end_on(wait_list& list) noexcept {
  // Who woke us holds the lock until it has let go of the engine too.
  const std::lock_guard hold(list.lock());
  if (std::exchange(payload.source, nullptr)) --list.waits_;  // it has begun here: see begin_on()
  const int r = end();
  if (r < 0) return failure(r);
  return {};
}

}  // namespace detail

void event::set() noexcept {
  const std::lock_guard hold(lock_);
  set_ = true;
  waiting_.wake_all();
}

void event::reset() noexcept {
  const std::lock_guard hold(lock_);
  set_ = false;
}

bool event::is_set() const noexcept {
  const std::lock_guard hold(lock_);
  return set_;
}

}  // namespace iolite

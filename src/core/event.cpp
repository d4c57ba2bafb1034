// See event.hpp. Who takes an operation off a list completes it; the list's lock decides who does.
#include "iolite/event.hpp"

#include "core/assert.hpp"

namespace iolite {
namespace detail {

wait_list::~wait_list() {
  const std::lock_guard hold(lock_);
  IOLITE_ASSERT(waiting_.empty(), "an event or channel outlives those who wait for it");
}

// op.size says whether it is on the list: the hooks do not, a post uses them too.
bool wait_list::forget(operation& op) noexcept {
  const std::lock_guard hold(lock_);
  if (op.size == 0) return false;
  op.size = 0;
  waiting_.remove(op);
  return true;
}

void wait_list::wake_one() noexcept {
  operation* op = waiting_.pop();
  if (!op) return;
  op->size = 0;
  op->on->post(*op, 0);
}

void wait_list::wake_all() noexcept {
  while (!waiting_.empty()) wake_one();
}

bool listed_operation::begin_on(wait_list& list, std::coroutine_handle<> h,
                                const context& c) noexcept {
  kind = op_kind::event;
  data = reinterpret_cast<std::byte*>(static_cast<event_source*>(&list));
  if (!begin(h, c)) return false;
  if (!waits()) return true;
  list.waiting_.push(*this);
  size = 1;
  return true;
}

result<void> listed_operation::end_on(wait_list& list) noexcept {
  // Who woke us holds the lock until it has let go of the engine too.
  const std::lock_guard hold(list.lock());
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

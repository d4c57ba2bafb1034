// What all engines share, written once: exactly-once completion, deadlines, short transfers, the
// inline budget, the ready queue, posts from other threads. See engine.hpp.
#include "iolite/core/engine.hpp"

#include "base/assert.hpp"
#include "core/deadlines.hpp"
#include "core/process.hpp"
#include "core/running_here.hpp"
#include "core/spin.hpp"
#include "iolite/core/buffer.hpp"
#include "iolite/core/transfer_bounds.hpp"
#include "iolite/observer.hpp"
#include "iolite/scope.hpp"
#include "kernel/kernel.hpp"
#include "kernel/thread_state.hpp"

#include <algorithm>
#include <cerrno>

namespace iolite {
namespace {

// An operation that ends before its facility is asked costs this part of the budget: after that
// many a loop over such ones comes back to the engine, whatever the budget is.
constexpr int early_ends_max = 32;

constexpr int dead_connections_max = 32;  // passed over before the clock is asked

// That end inline in a row. An accept is quick, and where a turn looks at all descriptors many had
// better be taken in each.
constexpr int accepts_max = 32;

// accept(2), "Error handling": what was wrong with a connection that is gone by now, not with us.
bool is_transient_accept_error(int error) noexcept {
  switch (-error) {
  case ECONNABORTED:
  case EPROTO:
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case ENETUNREACH:
  case EPERM: return true;
  default: return false;
  }
}

}  // namespace

engine::engine(kernel& os, engine_parts parts)
    : os_(os), parts_(parts), process_(fork_count()),
      deadlines_(std::make_unique_for_overwrite<deadlines>()) {}

engine::~engine() {
  IOLITE_ASSERT(tasks_ == 0, "an engine is destroyed only when its tasks have ended");
  IOLITE_ASSERT(streams_.load(std::memory_order_relaxed) == 0,
                "a stream is closed before its engine is destroyed");
  IOLITE_ASSERT(!scopes_, "a scope ends before its engine");
}

engine* engine::current() noexcept { return state_of_thread().runs; }

bool engine::is_parents() const noexcept { return process_ != fork_count(); }

bool engine::runs_elsewhere() const noexcept {
  if (current() == this) return false;
  const void* const owner = thread_.load(std::memory_order_relaxed);
  return owner && owner != &state_of_thread() && running();
}

clock::time_point engine::now() const noexcept { return os_.now(); }

clock::time_point engine::next_deadline() const noexcept { return deadlines_->next(); }

clock::duration engine::time_until(clock::time_point t) const noexcept {
  if (t == never) return clock::duration::max();
  if (t == clock::time_point::min()) return clock::duration::zero();
  return std::max(t - now(), clock::duration::zero());
}

buffer_pool* engine::buffers() noexcept {
  if (!buffers_) buffers_ = buffer_pool::make(*this, lease_memory_);
  return buffers_.get();
}

void engine::shut_down() noexcept { buffers_.reset(); }

inline void engine::check_owner() noexcept {
  IOLITE_ASSERT(!is_parents(), "an engine does not survive fork(2): make a new one in the child");
  if (current() != this) claim();
}

void engine::check_thread() noexcept { check_owner(); }

void engine::claim() noexcept {
  const void* const me = &state_of_thread();
  const void* owner = thread_.load(std::memory_order_relaxed);
  if (owner == me) return;
  IOLITE_ASSERT(owner == nullptr, "an engine belongs to the thread that first used it");
  thread_.store(me, std::memory_order_relaxed);
}

// --- one operation ---

engine::started engine::start(operation& op) noexcept {
  IOLITE_ASSERT(op.state != op_state::pending, "an operation is started once at a time");
  check_owner();
  // Not for an event: its starter may hold the lock of its source, which a cancel needs too. The
  // loop looks before it sleeps.
  if (op.kind != op_kind::event) take_cancel();
  ++stats_.started;
  if (op.kind == op_kind::event) op.on = this;
  op.tag = ++tag_;
  op.moved = 0;
  op.timed_out = false;
  const bool own = traits_of(op.kind).target == op_target::itself;
  if (op.cancel_requested) return end_early(op, -ECANCELED);  // latched before it began
  if (!own && op.fd < 0) return end_early(op, -EBADF);
  if (moves_bytes(op.kind) && op.size == 0) return end_early(op, 0);
  if (observer_) [[unlikely]]
    observer_->started(op);
  op.state = op_state::pending;
  int turns = inline_left_;
  if (own || !drive(op, turns)) {
    if (op.deadline != never && op.place == 0) deadlines_->add(op);
    return started::pending;
  }
  deadlines_->remove(op);
  return end_inline(op, 1);
}

engine::started engine::end_early(operation& op, int result) noexcept {
  op.moved = 0;
  if (observer_) [[unlikely]]
    observer_->started(op);
  op.outcome = result;
  return end_inline(op, std::max(inline_budget_ / early_ends_max, 1));
}

// Without a waiter it is a plain call, from outside a coroutine.
engine::started engine::end_inline(operation& op, int cost) noexcept {
  op.state = op_state::done;
  if (observer_) [[unlikely]]
    observer_->completed(op);
  int& left = op.kind == op_kind::accept ? accepts_left_ : inline_left_;
  if (left <= 0 && op.waiter) {
    ready_.push(op);  // fairness: over, but the others run first
    return started::pending;
  }
  left = std::max(left - cost, 0);
  ++stats_.inline_completions;
  return started::done;
}

// Starts `op` until it is over (true) or waits for something (false): a short transfer goes on
// without waking the coroutine. Out of `turns`, it goes on in the loop's next turn.
bool engine::drive(operation& op, int& turns) noexcept {
  for (int tries = 0;; ++tries) {
    if (do_start(op) == started::pending) return false;
    if (starves(op, op.outcome)) return false;
    if (over(op, op.outcome)) return true;
    // A queue of dead connections must not outlast the deadline where turns have no end.
    if (op.kind == op_kind::accept && tries >= dead_connections_max && now() >= op.deadline) {
      op.outcome = -ETIMEDOUT;
      return true;
    }
    if (--turns <= 0 && running()) {
      continue_later(op);
      return false;
    }
  }
}

void engine::continue_later(operation& op) noexcept {
  op.queue = op_queue::continuing;
  continuing_.push(op);
}

// A receive found no room in the pool: it waits until a lease comes back.
bool engine::starves(operation& op, int result) noexcept {
  if (result != -ENOBUFS || !op.picks_buffer || op.cancel_requested) return false;
  ++stats_.starved_receives;
  if (buffers_ && buffers_->can_serve(op.fd)) {  // one came back meanwhile
    continue_later(op);
  } else {
    op.queue = op_queue::starved;
    starved_.push(op);
  }
  return true;
}

// Accounts for one result. True when the operation as a whole is over, with its outcome set.
bool engine::over(operation& op, int result) noexcept {
  if (result > 0 && moves_bytes(op.kind)) {
    op.moved += static_cast<std::size_t>(result);
    IOLITE_ASSERT(op.moved <= op.size, "the kernel moves no more than it was asked to");
    const bool whole = !op.all || op.moved == op.size;
    if (!whole && !op.cancel_requested) {
      if (op.idles) move_deadline_on(op);
      return false;
    }
    op.outcome = whole ? static_cast<int>(std::min<std::size_t>(op.moved, INT32_MAX)) : -ECANCELED;
  } else if (op.kind == op_kind::accept && is_transient_accept_error(result) &&
             !op.cancel_requested) {
    return false;
  } else {
    // Cancelled, else it would wait for a buffer: see starves().
    op.outcome = op.picks_buffer && result == -ENOBUFS ? -ECANCELED : result;
  }
  if (op.outcome == -ECANCELED && op.timed_out) op.outcome = -ETIMEDOUT;
  return true;
}

// Mostly to a later time, which expire() sees. The first byte of a message begins to count for the
// minimum rate: then it is an earlier one, or the first there is.
void engine::move_deadline_on(operation& op) noexcept {
  const clock::time_point before = op.deadline;
  op.through->moved_on(op, now());
  if (op.deadline >= before) return;
  deadlines_->remove(op);
  deadlines_->add(op);
}

void engine::finish(operation& op, int result) noexcept {
  IOLITE_ASSERT(op.state == op_state::pending, "an operation completes exactly once");
  int turns = inline_budget_;
  if (!starves(op, result) && (over(op, result) || drive(op, turns))) complete(op);
}

void engine::complete(operation& op) noexcept {
  deadlines_->remove(op);
  op.state = op_state::done;
  if (observer_) [[unlikely]]
    observer_->completed(op);
  if (op.waiter) ready_.push(op);
}

void engine::cancel(operation& op) noexcept {
  const bool again = op.cancel_requested;
  op.cancel_requested = true;
  if (again || op.state != op_state::pending || is_parents()) return;
  if (op.kind == op_kind::event) {
    if (op.payload.source->forget(op)) finish(op, -ECANCELED);  // else a post is on its way
  } else if (op.kind == op_kind::sleep) {
    finish(op, -ECANCELED);
  } else if (op.queue == op_queue::starved || op.queue == op_queue::continuing) {
    (op.queue == op_queue::starved ? starved_ : continuing_).remove(op);
    op.queue = op_queue::none;
    finish(op, -ECANCELED);
    if (op.picks_buffer) buffer_returned();  // if one was meant for it, another takes it
  } else {
    do_cancel(op);
  }
}

// There may be room for one of the receives that wait for it. One at a time: each may take all.
void engine::buffer_returned() noexcept {
  for (operation* op = starved_.front(); op; op = op->next) {
    if (!buffers_->can_serve(op->fd)) continue;
    starved_.remove(*op);
    return continue_later(*op);
  }
}

// --- the loop ---

void engine::run() noexcept {
  IOLITE_ASSERT(current() != this, "run() is not called from inside itself");
  check_owner();
  const running_here here(*this);
  running_ = true;
  new_budget();
  while (tasks_ > 0 && !tasks_left_) turn();
  if (parts_.backlog) parts_.backlog->stop_all();
  running_ = false;
}

// Each step handles what was there when it began, so a turn is bounded and nobody starves.
void engine::turn() noexcept {
  wake_taken();  // before the look, or a wake could be lost
  take_posted();
  take_cancel();
  if (!continuing_.empty()) start_continuing();
  resume_ready();
  if (tasks_ == 0 || tasks_left_) return;
  if (busy()) ask(clock::time_point::min());
  else if (spin_) wait(deadlines_->next());
  else ask(deadlines_->next());
  // After the look: whatever its deadline, an operation takes what is there.
  if (!deadlines_->empty() && !found_more_) expire();
}

void engine::ask(clock::time_point until) noexcept {
  ++stats_.waits;
  do_wait(until);
}

void engine::spin_before_sleeping(clock::duration length) {
  const bool can = length > clock::duration::zero() && !traits().blocking;
  spin_ = can ? std::make_unique<spin_policy>(length) : nullptr;
}

void engine::wait(clock::time_point until) noexcept {
  const clock::time_point begin = now();
  if (spin_->worth_it()) {
    ++stats_.spins;
    const clock::time_point end = std::min(until, deadline_after(begin, spin_->length()));
    if (spin(end) || end == until) return spin_->paid();
    ++stats_.spins_in_vain;
    spin_->was_in_vain();
    ask(until);
  } else {
    ask(until);
    // Not where it was only for a part of the way to a deadline, or where to ask is all there is.
    if (busy() || woken() || now() >= until) spin_->slept(now() - begin);
  }
}

// True: there is something to do.
bool engine::spin(clock::time_point until) noexcept {
  do ask(clock::time_point::min());
  while (!busy() && !woken() && now() < until);
  return busy() || woken();
}

void engine::new_budget() noexcept {
  inline_left_ = inline_budget_;
  accepts_left_ = accepts_max;
}

void engine::resume_ready() noexcept {
  operation* op = std::exchange(ready_, {}).front();
  while (op) {
    operation* const next = op->next;
    new_budget();
    // Of many its frame is in no cache any more: it comes while this one runs.
    if (next) __builtin_prefetch(next->waiter.address(), 1);
    op->waiter.resume();
    op = next;
  }
}

void engine::start_continuing() noexcept {
  operation_queue batch = std::exchange(continuing_, {});
  while (operation* op = batch.front()) {
    batch.remove(*op);
    op->queue = op_queue::none;
    int turns = inline_budget_;
    const bool leases = op->picks_buffer;
    if (drive(*op, turns)) complete(*op);
    if (leases) buffer_returned();  // it may have left room for another one
  }
}

void engine::expire() noexcept {
  const clock::time_point t = now();
  while (operation* op = deadlines_->expired(t)) {
    if (op->deadline > t) {  // bytes have moved meanwhile: see over()
      deadlines_->add(*op);
    } else if (op->kind == op_kind::sleep) {
      finish(*op, 0);
    } else {
      op->timed_out = !op->cancel_requested;
      cancel(*op);
    }
  }
}

}  // namespace iolite

// What other threads and signal handlers may ask of an engine: completions posted to it, wake-ups
// and cancels. See engine.hpp.
#include "iolite/core/engine.hpp"

#include "iolite/scope.hpp"

#include <utility>

namespace iolite {

void engine::post(operation& op, int result) noexcept {
  if (current() == this) finish(op, result);
  else post_later(op, result);
}

void engine::post_later(operation& op, int result) noexcept {
  op.outcome = result;
  op.next = posted_.load(std::memory_order_relaxed);
  while (!posted_.compare_exchange_weak(op.next, &op, std::memory_order_release,
                                        std::memory_order_relaxed)) {
  }
  wake();
}

void engine::take_posted() noexcept {
  operation* newest = posted_.exchange(nullptr, std::memory_order_acquire);
  operation* oldest = nullptr;
  while (newest) {
    operation* const older = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = older;
  }
  while (oldest) {
    operation* const next = std::exchange(oldest->next, nullptr);
    finish(*oldest, oldest->outcome);
    oldest = next;
  }
}

// Once is enough until the loop has looked: it clears woken_ before it takes what was posted.
void engine::wake() noexcept {
  if (!woken_.exchange(true, std::memory_order_acq_rel)) do_wake();
}

void engine::request_cancel() noexcept {
  cancel_asked_.store(true, std::memory_order_release);
  wake();
}

// A cancel is over with the run that it has ended.
void engine::set_root(scope* s) noexcept {
  if (!s && root_->cancelled()) cancel_asked_.store(false, std::memory_order_relaxed);
  if (!s) root_was_cut_ = root_->has_cut;
  root_ = s;
}

bool engine::is_to_end(const operation& op) noexcept {
  take_cancel();
  return op.cancel_requested || (!root_ && cancel_asked_.load());
}

void engine::apply_cancel() noexcept {
  if (root_ && !root_->cancelled()) root_->cancel();
}

}  // namespace iolite

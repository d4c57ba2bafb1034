// See offload.hpp: the helpers that a process shares, and how a task waits for them.
#include "iolite/offload.hpp"

#include "base/assert.hpp"
#include "core/process.hpp"
#include "core/tasks/helper_pool.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/scope.hpp"

#include <cerrno>
#include <cstdint>

namespace iolite {
namespace {

pool_limits shared_limits() {
  return {.threads = offload_threads_max, .limit = offload_threads_limit, .queue_max = SIZE_MAX};
}

process_lock guard;  // of kernel::kept

// Leaked on the real kernel: helpers may outlive static destructors. A child of fork(2) has no
// helpers and makes anew.
detail::helper_pool& shared_pool(kernel& os) {
  kernel& home = os.undecorated();
  const std::lock_guard hold(guard);
  auto* current = static_cast<detail::helper_pool*>(home.kept);
  if (!current || current->made_after != fork_count()) {
    home.kept = current = new detail::helper_pool(home, shared_limits(), false);
  }
  return *current;
}

}  // namespace

bool detail::offload_operation::hand_over(std::coroutine_handle<> h, const context& c) {
  payload.source = nullptr;
  if (c.on->traits().blocking && !pool_) {
    c.on->take_cancel();
    outcome = cancel_requested || (c.in && c.in->of->cancel_asked) ? -ECANCELED : 0;
    if (outcome == 0) call();
    else if (c.in) c.in->note_cut();
    return false;
  }
  IOLITE_ASSERT(!pool_ || pool_->made_after == fork_count(),
                "a worker_pool does not survive fork(2): make a new one in the child");
  helper_pool& p = pool_ ? *pool_ : shared_pool(c.on->os());
  const std::lock_guard hold(p.lock);
  if (const int error = p.prepare_one(); error < 0) return begin_over(h, c, error);
  kind = op_kind::event;
  payload = static_cast<event_source*>(&p);
  ++p.calls;
  if (!begin(h, c)) return false;
  if (waits()) p.add(*this);
  return true;
}

int detail::offload_operation::take_back() noexcept {
  if (!payload.source) return end();  // it ran where it stood, or not at all
  auto& p = *static_cast<helper_pool*>(payload.source);
  const std::lock_guard hold(p.lock);
  --p.calls;
  return end();
}

result<void> detail::offloaded_owned::await_resume() noexcept {
  if (const int r = take_back(); r < 0) return failure(r);
  return {};
}

}  // namespace iolite

// See offload.hpp: a few helper threads and one line of calls.
#include "iolite/offload.hpp"

#include "core/process.hpp"
#include "iolite/engine.hpp"
#include "iolite/scope.hpp"
#include "kernel/thread.hpp"

#include <atomic>

namespace iolite {
namespace {

// Of one process. Its helpers wait in futex(2), which a simulated kernel knows as well.
class helper_pool final : public event_source, public kernel::resident {
 public:
  explicit helper_pool(kernel& os) noexcept : made_after(fork_count()), os_(os) {}

  // Throws when there is no helper and none can be started. With the lock held.
  void ensure_helper() {
    if (idle_ > waiting_ || helpers_ == offload_threads_max) return;
    try {
      os_thread(os_, [this] { help(); }).detach();
      ++helpers_;
      ++idle_;
    } catch (const std::system_error&) {
      if (helpers_ == 0) throw;
    }
  }
  // With the lock held.
  void add(operation& op) noexcept {
    op.size = 1;  // in line
    line_.push(op);
    ++waiting_;
    if (idle_ > 0) tell(1);
  }
  bool forget(operation& op) noexcept override {
    const std::lock_guard hold(lock);
    if (op.size == 0) return false;
    op.size = 0;
    line_.remove(op);
    --waiting_;
    return true;
  }
  void process_ends() noexcept override {
    const std::lock_guard hold(lock);
    ending_ = true;
    tell(offload_threads_max);
  }

  std::mutex lock;
  const unsigned made_after;  // which side of a fork made it

 private:
  void help() noexcept {
    std::unique_lock hold(lock);
    for (;;) {
      operation* const op = await_call(hold);
      if (!op) return;
      op->size = 0;
      --waiting_;
      --idle_;
      hold.unlock();
      static_cast<detail::offload_operation*>(op)->call();
      hold.lock();
      ++idle_;
      op->on->post(*op, 0);  // with the lock held: take_back() waits until we let go of the engine
    }
  }
  operation* await_call(std::unique_lock<std::mutex>& hold) noexcept {
    while (line_.empty() && !ending_) {
      const std::uint32_t seen = news_;
      hold.unlock();
      os_.futex_wait(&news_, seen, nullptr);
      hold.lock();
    }
    return line_.pop();
  }
  void tell(unsigned helpers) noexcept {
    std::atomic_ref(news_).fetch_add(1, std::memory_order_relaxed);  // the lock orders it
    os_.futex_wake(&news_, static_cast<int>(helpers));
  }

  kernel& os_;
  operation_queue line_;
  std::uint32_t news_ = 0;  // changes whenever helpers should look: the word of the futex
  unsigned helpers_ = 0;
  unsigned idle_ = 0;
  unsigned waiting_ = 0;
  bool ending_ = false;
};

// Leaked on the real kernel: helpers may outlive static destructors. A child of fork(2) has no
// helpers and makes anew.
helper_pool& pool(kernel& os) {
  static std::mutex guard;
  kernel& home = os.undecorated();
  const std::lock_guard hold(guard);
  auto* current = static_cast<helper_pool*>(home.kept);
  if (!current || current->made_after != fork_count()) {
    home.kept = current = new helper_pool(home);
  }
  return *current;
}

}  // namespace

bool detail::offload_operation::hand_over(std::coroutine_handle<> h, const context& c) {
  if (c.on->traits().blocking) {
    c.on->take_cancel();
    outcome = c.in && c.in->of.cancel_asked ? -ECANCELED : 0;
    if (outcome == 0) call();
    return false;
  }
  helper_pool& p = pool(c.on->os());
  const std::lock_guard hold(p.lock);
  p.ensure_helper();
  kind = op_kind::event;
  data = reinterpret_cast<std::byte*>(static_cast<event_source*>(&p));
  if (!begin(h, c)) return false;
  p.add(*this);
  return true;
}

int detail::offload_operation::take_back() noexcept {
  if (!data) return outcome;  // it ran where it stood
  auto* const source = reinterpret_cast<event_source*>(data);
  const std::lock_guard hold(static_cast<helper_pool*>(source)->lock);
  return end();
}

}  // namespace iolite

// See offload.hpp: a few helper threads and one line of calls.
#include "iolite/offload.hpp"

#include "core/process.hpp"
#include "iolite/engine.hpp"
#include "iolite/scope.hpp"

#include <condition_variable>
#include <thread>

namespace iolite {
namespace {

class helper_pool final : public event_source {
 public:
  // Throws when there is no helper and none can be started. With the lock held.
  void ensure_helper() {
    if (idle_ > waiting_ || helpers_ == offload_threads_max) return;
    try {
      std::thread([this] { help(); }).detach();
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
    more_.notify_one();
  }
  bool forget(operation& op) noexcept override {
    const std::lock_guard hold(lock);
    if (op.size == 0) return false;
    op.size = 0;
    line_.remove(op);
    --waiting_;
    return true;
  }

  std::mutex lock;

 private:
  [[noreturn]] void help() {
    std::unique_lock hold(lock);
    for (;;) {
      more_.wait(hold, [this] { return !line_.empty(); });
      operation* op = line_.pop();
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

  std::condition_variable more_;
  operation_queue line_;
  unsigned helpers_ = 0;
  unsigned idle_ = 0;
  unsigned waiting_ = 0;
};

// Leaked: helpers may outlive static destructors. A child of fork(2) has no helpers and makes anew.
helper_pool& pool() {
  static std::mutex guard;
  static helper_pool* current = nullptr;
  static unsigned made_after = 0;
  const std::lock_guard hold(guard);
  if (!current || made_after != fork_count()) {
    current = new helper_pool;
    made_after = fork_count();
  }
  return *current;
}

}  // namespace

bool detail::offload_operation::hand_over(std::coroutine_handle<> h, const context& c) {
  if (c.on->traits().blocking) {
    c.on->take_cancel();
    outcome = c.in && c.in->cancelled() ? -ECANCELED : 0;
    if (outcome == 0) call();
    return false;
  }
  helper_pool& p = pool();
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
  const std::lock_guard hold(pool().lock);
  return end();
}

}  // namespace iolite

// See offload.hpp: a few helper threads and one line of calls.
//
// Whether a call hangs shows only where others wait for its helper. So nobody looks before a call
// is in line and no further helper may be started; then one more thread, the watch, looks whether
// the line moves. It ends with the line.
#include "iolite/offload.hpp"

#include "core/process.hpp"
#include "iolite/engine.hpp"
#include "iolite/scope.hpp"
#include "kernel/thread.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

namespace iolite {
namespace {

using detail::offload_operation;
using detail::owned_call;

constexpr auto line_moves_within = std::chrono::milliseconds(100);

// Of an operation: its `size`.
enum stage : std::size_t { called, in_line, answered };

// Of one process. Its helpers wait in futex(2), which a simulated kernel knows as well.
class helper_pool final : public event_source, public kernel::resident {
 public:
  explicit helper_pool(kernel& os) noexcept : made_after(fork_count()), os_(os) {}

  // Throws when there is no helper and none can be started. With the lock held.
  void ensure_helper() {
    if (idle_ > waiting_) return;
    try {
      if (helpers_ < most()) start_helper();
      else start_watch();
    } catch (const std::system_error&) {
      if (helpers_ == 0) throw;
    }
  }
  // With the lock held.
  void add(operation& op) noexcept {
    op.size = in_line;
    line_.push(op);
    ++waiting_;
    if (idle_ > 0) tell(1);
  }
  bool forget(operation& op) noexcept override {
    const std::lock_guard hold(lock);
    auto& call = static_cast<offload_operation&>(op);
    if (op.size == called && call.owned()) return call.leave(), true;
    if (op.size != in_line) return false;
    op.size = called;
    line_.remove(op);
    --waiting_;
    return true;
  }
  void process_ends() noexcept override {
    const std::lock_guard hold(lock);
    ending_ = true;
    tell(offload_threads_limit);
    std::atomic_ref(end_).store(1);
    os_.futex_wake(&end_, 1);
  }

  std::mutex lock;
  const unsigned made_after;  // which side of a fork made it

 private:
  // Those that hang are not counted, as far as the limit allows.
  [[nodiscard]] unsigned most() const noexcept {
    return std::min(offload_threads_max + hanging_, offload_threads_limit);
  }
  void start_helper() {
    os_thread(os_, [this] { help(); }).detach();
    ++helpers_;
    ++idle_;
  }
  void start_watch() {
    if (watched_ || helpers_ == offload_threads_limit) return;
    os_thread(os_, [this] { watch(); }).detach();
    watched_ = true;
  }

  void help() noexcept {
    std::unique_lock hold(lock);
    for (;;) {
      auto* const op = static_cast<offload_operation*>(await_call(hold));
      if (!op) return;
      op->size = called;
      --waiting_;
      --idle_;
      ++taken_;
      const std::uint64_t began = hangs_seen_;
      owned_call* const owned = op->owned();
      hold.unlock();
      if (owned) owned->call();
      else op->call();
      std::unique_ptr<owned_call> left_behind;
      hold.lock();
      if (owned && owned->left) left_behind.reset(owned);  // `op` is gone
      else answer(*op);
      if (began != hangs_seen_) --hanging_;
      if (helpers_ > most()) {
        --helpers_;
        return hold.unlock();
      }
      ++idle_;
      if (!left_behind) continue;
      hold.unlock();
      left_behind.reset();
      hold.lock();
    }
  }
  // With the lock held: take_back() waits until we let go of the engine.
  static void answer(operation& op) noexcept {
    op.size = answered;
    op.on->post(op, 0);
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

  // While calls are in line: those at work hang when none of them has taken the next for a while.
  void watch() noexcept {
    std::unique_lock hold(lock);
    while (!ending_ && !line_.empty() && helpers_ < offload_threads_limit) {
      const std::uint64_t before = taken_;
      hold.unlock();
      pause();
      hold.lock();
      if (taken_ != before || idle_ > 0) continue;
      hanging_ = helpers_;
      ++hangs_seen_;
      try {
        while (helpers_ < most() && idle_ < waiting_) start_helper();
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it is tried again
      }
    }
    watched_ = false;
  }
  void pause() noexcept {
    const clock::time_point until = os_.now() + line_moves_within;
    for (clock::time_point now = os_.now(); now < until; now = os_.now()) {
      if (std::atomic_ref(end_).load() != 0) return;
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(until - now).count();
      const timespec left{0, ns};
      os_.futex_wait(&end_, 0, &left);
    }
  }

  kernel& os_;
  operation_queue line_;
  std::uint32_t news_ = 0;  // changes whenever helpers should look: the word of their futex
  std::uint32_t end_ = 0;  // 1 once the process ends: the word of the watch's futex
  unsigned helpers_ = 0;
  unsigned idle_ = 0;
  unsigned waiting_ = 0;
  unsigned hanging_ = 0;
  std::uint64_t taken_ = 0;  // calls out of the line
  std::uint64_t hangs_seen_ = 0;  // how many times all at work were found to hang
  bool watched_ = false;
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
    outcome = cancel_requested || (c.in && c.in->of.cancel_asked) ? -ECANCELED : 0;
    cancel_requested = false;  // the request was for this time
    if (outcome == 0) call();
    return false;
  }
  helper_pool& p = pool(c.on->os());
  const std::lock_guard hold(p.lock);
  p.ensure_helper();
  kind = op_kind::event;
  data = reinterpret_cast<std::byte*>(static_cast<event_source*>(&p));
  if (!begin(h, c)) return false;
  if (waits()) p.add(*this);
  return true;
}

int detail::offload_operation::take_back() noexcept {
  if (!data) return outcome;  // it ran where it stood
  auto* const source = reinterpret_cast<event_source*>(data);
  const std::lock_guard hold(static_cast<helper_pool*>(source)->lock);
  return end();
}

result<void> detail::offloaded_owned::await_resume() noexcept {
  if (const int r = take_back(); r < 0) return failure(r);
  return {};
}

}  // namespace iolite

// Blocking calls: R. Stevens' first model. See recv(2), accept(2).
//
// The idea: the thread is the unit of concurrency. An operation finishes inside start(), so the
// coroutine runs straight through; only sleeps and events bring it back to the loop, which then
// sleeps too.
//
// A plain recv(2) cannot be given up. With a deadline, of its own or of a limit around it, or where
// somebody may ask for an early end, the thread waits in poll(2) on the descriptor and on a
// wake-up, and calls when there is something.
#include "base/assert.hpp"
#include "core/perform.hpp"
#include "engines/made_engine.hpp"
#include "iolite/core/engine.hpp"
#include "pollers/poller.hpp"
#include "pollers/wake_descriptor.hpp"

#include <algorithm>
#include <cerrno>

namespace iolite {
namespace {

bool is_transient(int error) noexcept {
  return error == -EINTR || error == -ENOMEM || error == -EAGAIN;
}

class blocking_engine final : public engine, private child_engines {
 public:
  blocking_engine(kernel& os, wake_descriptor w, bool interruptible)
      : engine(os, {.children = this}), wake_(std::move(w)), interruptible_(interruptible) {
    inline_budget_ = 1 << 30;  // the thread is this task's: nobody waits for a turn
  }
  ~blocking_engine() override { shut_down(); }
  std::string_view name() const noexcept override { return "blocking"; }
  engine_traits traits() const noexcept override { return {.blocking = true}; }

 private:
  std::unique_ptr<engine> make() override;

  started do_start(operation& op) noexcept override {
    op.outcome = run_to_end(op);
    // Limits around it that are over end what comes after it.
    if (next_deadline() != never) expire();
    return started::done;
  }

  int run_to_end(operation& op) noexcept {
    // A receive that picks its buffer takes it before it waits: nobody else uses the thread's pool.
    const op_traits& kind = traits_of(op.kind);
    const bool first_wait =
        kind.nonblocking ? !kind.tried_first
                         : interruptible_ || op.deadline != never || next_deadline() != never;
    for (bool wait = first_wait;; wait = true) {
      if (wait) {
        if (const int r = wait_for(op); r < 0) return r;
      }
      const auto mode = wait ? wait_in_call::no : wait_in_call::yes;
      const int r = perform_on(*this, op, mode);
      if (r != -EAGAIN) return r;
      // Ready, and yet nothing there: whatever goes on saying so, the deadline holds.
      if (op.deadline != never && now() >= op.deadline) return -ETIMEDOUT;
      if (next_deadline() != never) expire();
    }
  }

  // Phase 1 in poll(2): 0, -ETIMEDOUT, or -ECANCELED.
  int wait_for(const operation& op) noexcept {
    for (;;) {
      if (is_to_end(op)) return -ECANCELED;
      pollfd fds[2] = {{op.fd, poll_bits(interest_of(op)), 0}, {wake_.fd(), POLLIN, 0}};
      const int n = ask(fds, 2, std::min(op.deadline, next_deadline()));
      if (n < 0 && !is_transient(n)) return n;
      if (n > 0 && fds[0].revents != 0) return 0;
      if (n > 0) take_wake();
      if (n <= 0 && op.deadline != never && now() >= op.deadline) return -ETIMEDOUT;
      if (n <= 0) expire();
    }
  }

  // poll(2). Out of memory for a moment, or a fault that stays: then nothing can ever complete.
  int ask(pollfd* fds, nfds_t count, clock::time_point until) noexcept {
    const int n = os().poll(fds, count, to_milliseconds(time_until(until)));
    failed_waits_ = n < 0 && n != -EINTR ? failed_waits_ + 1 : 0;
    IOLITE_ASSERT(failed_waits_ < 1000, "poll(2) fails and goes on failing");
    return n;
  }

  // In this order: a wake() between the two does not signal, and what it is for is looked at next.
  // The other way round its signal would be drained and the next one would not signal.
  void take_wake() noexcept {
    wake_.drain();
    wake_taken();
  }

  void do_cancel(operation&) noexcept override {}  // nothing is ever pending here

  // Only sleeps and events wait here.
  void do_wait(clock::time_point until) noexcept override {
    pollfd fd{wake_.fd(), POLLIN, 0};
    if (ask(&fd, 1, until) > 0) wake_.drain();
  }
  void do_wake() noexcept override { wake_.signal(); }

  wake_descriptor wake_;
  const bool interruptible_;
  int failed_waits_ = 0;  // in a row
};

}  // namespace

made_engine make_blocking(kernel& os, bool interruptible) {
  wake_descriptor wake(os);
  if (wake.fd() < 0) return {nullptr, wake.fd()};
  return {std::make_unique<blocking_engine>(os, std::move(wake), interruptible), 0};
}

std::unique_ptr<engine> blocking_engine::make() {
  made_engine made = make_blocking(os(), true);
  if (!made.it)
    throw std::system_error(-made.error, std::system_category(), "an engine for a child task");
  made.it->limit_leases(lease_memory_);
  take_streams_of(*made.it);
  return std::move(made.it);
}

}  // namespace iolite

// See iolite/signals.hpp. What the handler and the tasks share has no lock, since a handler may
// interrupt whoever holds it: a set of signals that came, and a stack of operations that wait.
// Whoever adds to one of the two asks for a look at both: see deliver().
#include "iolite/signals.hpp"

#include "base/assert.hpp"
#include "core/process.hpp"
#include "core/signals/caught_signals.hpp"
#include "iolite/core/engine.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>
#include <system_error>
#include <utility>

namespace iolite {
namespace {

// The engine `signal` has the last two to itself.
bool can_be_caught(int number) noexcept {
  const std::array others = {SIGKILL, SIGSTOP, SIGBUS, SIGFPE,
                             SIGILL,  SIGSEGV, SIGIO,  SIGRTMIN + 4};
  const bool is_one = number >= 1 && number <= SIGRTMAX && (number < 32 || number >= SIGRTMIN);
  return is_one && std::ranges::find(others, number) == others.end();
}

signal_bits bits_of(std::initializer_list<int> numbers) noexcept {
  signal_bits all = 0;
  for (const int n : numbers) {
    IOLITE_ASSERT(can_be_caught(n),
                  "this signal is not for a program to catch: see iolite/signals.hpp");
    all |= bit_of(n);
  }
  return all;
}

}  // namespace

class detail::signal_inbox final : public signal_receiver, public event_source {
 public:
  signal_inbox(kernel& os, signal_bits wanted)
      : signal_receiver(wanted), os_(os), all_(caught_signals::of(os)), made_after_(fork_count()) {
    if (const int error = all_.add(os_, *this); error < 0) {
      throw std::system_error(-error, std::system_category(), "cannot catch a signal");
    }
  }
  ~signal_inbox() {
    const bool is_parents = made_after_ != fork_count();
    IOLITE_ASSERT(is_parents || tasks_ == 0, "a signals object outlives those who wait for it");
    all_.remove(os_, *this);
  }

  void caught(int number) noexcept override {
    came_.fetch_or(bit_of(number));
    deliver();
  }

  void enter() noexcept {
    IOLITE_ASSERT(made_after_ == fork_count(),
                  "signals do not survive fork(2): make new ones in the child");
    ++tasks_;
  }
  void leave() noexcept { --tasks_; }

  // Also for one that came before: those who wait already are told of it, too.
  void wait(operation& op) noexcept {
    const caught_signals::under_way as_a_handler(all_, os_);
    push(op);
    deliver();
  }
  bool forget(operation& op) noexcept override {
    const std::lock_guard hold(forgetting_);
    for (unsigned nobody = 0; !asked_.compare_exchange_strong(nobody, 1); nobody = 0) {
      all_.await_handlers(os_);
    }
    const caught_signals::under_way as_a_handler(all_, os_);
    const bool found = take_out(op);
    hand_out();
    return found;
  }

 private:
  // One at a time hands out. Whoever asks meanwhile leaves it to that one, which looks again: a
  // handler that has interrupted it could not wait. Those who wait and what came are seen together
  // so: a signal is told to all who wait, not to those only whom somebody has just taken out.
  void deliver() noexcept {
    if (asked_.fetch_add(1) == 0) hand_out();
  }
  void hand_out() noexcept {
    for (unsigned seen = asked_.load();;) {
      if (waiting_.load() && came_.load() != 0) tell_all(take_one());
      if (asked_.compare_exchange_strong(seen, 0)) return;
    }
  }
  void tell_all(int number) noexcept {
    for (operation* next = waiting_.exchange(nullptr); operation* one = next;) {
      next = one->next;
      one->on->post_later(*one, number);
    }
  }
  // The lowest that came.
  int take_one() noexcept {
    signal_bits now = came_.load();
    while (!came_.compare_exchange_weak(now, now & (now - 1))) {
    }
    return std::countr_zero(now) + 1;
  }
  bool take_out(const operation& op) noexcept {
    bool found = false;
    for (operation* next = waiting_.exchange(nullptr); operation* one = next;) {
      next = one->next;
      if (one == &op) found = true;
      else push(*one);
    }
    return found;
  }
  void push(operation& op) noexcept {
    op.next = waiting_.load();
    while (!waiting_.compare_exchange_weak(op.next, &op)) {
    }
  }

  kernel& os_;
  caught_signals& all_;
  const unsigned made_after_;  // which side of a fork made it
  std::atomic<signal_bits> came_ = 0;  // and nobody has taken
  std::atomic<operation*> waiting_ = nullptr;  // a stack
  std::atomic<unsigned> asked_ = 0;  // how often to hand out, since that began; 0: nobody does
  std::atomic<int> tasks_ = 0;  // in next(), until they go on
  std::mutex forgetting_;
};

signals::signals(std::initializer_list<int> numbers)
    : inbox_(std::make_unique<detail::signal_inbox>(kernel::of_thread(), bits_of(numbers))) {}

signals::~signals() = default;

bool signals::next_operation::wait(std::coroutine_handle<> h, const context& c) noexcept {
  from_.enter();
  os_ = &c.on->os();
  kind = op_kind::event;
  payload = static_cast<event_source*>(&from_);
  if (!begin(h, c)) return false;
  if (waits()) from_.wait(*this);
  return true;
}

// Whoever has told us may still wake the engine, which may end as soon as the task goes on.
result<int> signals::next_operation::await_resume() noexcept {
  caught_signals::of(*os_).await_handlers(*os_);
  from_.leave();
  const int r = end();
  if (r < 0) return failure(r);
  return r;
}

}  // namespace iolite

// See process.hpp: the threads of a process. pthread_create(3), pthread_join(3).
#include "kernel/simulated/descriptors/wait.hpp"
#include "kernel/simulated/processes/process.hpp"
#include "kernel/thread_state.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace iolite::simulated {

long process::thread_call(call c, const call_args& a) {
  if (c == call::clone) return start_thread(a.as<thread_function*>(0), a.as<void*>(1));
  const auto it = std::ranges::find(threads_, a.word[0], [](const auto& t) { return t->number; });
  if (it == threads_.end()) return -ESRCH;
  thread& other = **it;
  if (c == call::detach) {
    other.detached = true;
    if (other.over) forget(other);
    return 0;
  }
  if (!wait_for_threads([&] { return other.over; })) return -EDEADLK;  // who drives the world
  forget(other);
  return 0;
}

process::thread* process::current_thread() const noexcept {
  const auto it =
      std::ranges::find(threads_, &state_of_thread(), [](const auto& t) { return t->state; });
  return it == threads_.end() ? nullptr : it->get();
}

// What every thread does, from its first turn to its last.
void process::run_thread(const sigset_t& blocked, const std::function<void()>& body) {
  state_of_thread().simulated = this;
  stand_still();
  site_.world.awake = &site_;
  site_.signals.mask(SIG_SETMASK, &blocked, nullptr);
  body();
  site_.signals.thread_ends();
  site_.world.awake = nullptr;
  ++site_.version;
  if (told_) told_->thread_ends();
}

void process::run(const std::function<void()>& body) {
  sigset_t none;
  ::sigemptyset(&none);
  run_thread(none, body);
}

long process::start_thread(thread_function* enter, void* argument) {
  const long number = 1000 + ++site_.world.threads;
  thread& made = *threads_.emplace_back(std::make_unique<thread>(number));
  try {
    site_.world.turns.start([this, &made, enter, argument, blocked = site_.signals.blocked()] {
      made.state = &state_of_thread();
      run_thread(blocked, [=] { enter(argument); });
      made.over = true;
      if (made.detached) forget(made);
    });
  } catch (const std::bad_alloc&) {
    forget(made);
    return -EAGAIN;
  }
  return number;
}

void process::forget(const thread& t) noexcept {
  std::erase_if(threads_, [&](const auto& one) { return one.get() == &t; });
}

// False: they can never end.
template <class Holds>
bool process::wait_for_threads(Holds holds) {
  long r = -EINTR;
  while (r == -EINTR) r = wait(&site_.version, never, holds);
  return r == 0;
}

bool process::end_threads() {
  if (kept) kept->process_ends();
  const auto all_over = [this] {
    return std::ranges::all_of(threads_, [](const auto& t) { return t->over; });
  };
  if (!all_over() && !wait_for_threads(all_over)) return false;
  delete std::exchange(kept, nullptr);
  leave_children();
  return true;
}

}  // namespace iolite::simulated

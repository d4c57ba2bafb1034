// How calls of a process wait: for process.cpp and waits.cpp.
#pragma once
#include "kernel/simulated/processes/process.hpp"
#include "kernel/thread_state.hpp"

#include <ctime>

namespace iolite::simulated {

inline clock::duration length_of(const timespec& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Meanwhile the clock may leap, and the host may stand still or crash.
template <class Holds>
waited process::wait_in_turn(const std::uint64_t* version, clock::time_point until, Holds holds) {
  machine& w = site_.world;
  for (;;) {
    const clock::duration ahead = site_.at.clock_ahead;
    w.awake = nullptr;
    const waited r =
        w.turns.wait(version, until, [&] { return site_.at.clock_ahead != ahead || holds(); });
    stand_still();
    w.awake = &site_;
    const clock::duration leap = site_.at.clock_ahead - ahead;
    if (leap == clock::duration::zero()) return r;
    if (holds()) return waited::holds;
    if (until == never) continue;
    if (until - w.time.now() <= leap) return waited::time_is_up;
    until -= leap;
  }
}

template <class Holds>
long process::wait(const std::uint64_t* version, clock::time_point until, Holds holds) {
  machine& w = site_.world;
  if (told_) told_->about_to_wait();
  clock::time_point end = until;
  bool interrupted = false;
  if (until > w.time.now() && wrong(fault_kind::interrupt)) {
    end =
        std::min(until, w.time.now() + w.draws.extent().between({}, std::chrono::milliseconds(5)));
    interrupted = end < until;
  }
  bool by_signal = false;
  const thread_state* const me = &state_of_thread();  // others look, too
  const waited r = wait_in_turn(version, end, [&] {
    by_signal = false;
    if (holds()) return true;
    return by_signal = site_.signals.interrupts(me);
  });
  if (wrong(fault_kind::stall)) {  // the processor is somebody else's for a while
    const auto rest = w.time.now() + w.draws.extent().between({}, w.faults.stall_max);
    wait_in_turn(nullptr, rest, [] { return false; });
  }
  if (r == waited::holds && by_signal) return run_handlers(), -EINTR;
  if (r == waited::holds) return 0;
  if (r == waited::stuck) return -EDEADLK;
  return interrupted ? -EINTR : -ETIMEDOUT;
}

template <class Attempt>
long process::until_ready(const std::shared_ptr<file>& f, short bits, bool wait_for_it,
                          Attempt attempt) {
  const clock::duration limit = bits == POLLIN ? f->receives_for : f->sends_for;
  const auto until = limit == clock::duration::zero() ? never : deadline(limit);
  for (;;) {
    const long r = attempt();
    if (r != -EAGAIN || !wait_for_it) return r;
    const short ends = POLLERR | POLLHUP;
    const long w =
        wait(&site_.version, until, [&] { return (f->readiness() & (bits | ends)) != 0; });
    if (w < 0) return w == -ETIMEDOUT ? -EAGAIN : w;
  }
}

}  // namespace iolite::simulated

// How calls of a process wait: for process.cpp and waits.cpp.
#pragma once
#include "kernel/simulated/process.hpp"

namespace iolite::simulated {

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
  const waited r = w.turns.wait(version, end, holds);
  if (wrong(fault_kind::stall)) {  // the processor is somebody else's for a while
    const auto rest = w.time.now() + w.draws.extent().between({}, w.faults.stall_max);
    w.turns.wait(nullptr, rest, [] { return false; });
  }
  if (r == waited::holds) return 0;
  if (r == waited::stuck) return -EDEADLK;
  return interrupted ? -EINTR : -ETIMEDOUT;
}

}  // namespace iolite::simulated

// On which processors a session runs: two different ones where there are two, and back afterwards.
#pragma once
#include "kernel/kernel.hpp"

namespace iolite::trace {

class placement_of_threads {
 public:
  explicit placement_of_threads(kernel& os) noexcept : os_(os) {
    if (os.sched_getaffinity(sizeof before_, &before_) < 0 || CPU_COUNT(&before_) < 2) return;
    int found[2] = {-1, -1};
    for (int cpu = 0, n = 0; cpu < CPU_SETSIZE && n < 2; ++cpu)
      if (CPU_ISSET(static_cast<unsigned>(cpu), &before_)) found[n++] = cpu;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(static_cast<unsigned>(found[1]), &own);
    if (os.sched_setaffinity(sizeof own, &own) < 0) return;
    of_peer_ = found[0];
  }
  placement_of_threads(const placement_of_threads&) = delete;
  placement_of_threads& operator=(const placement_of_threads&) = delete;
  ~placement_of_threads() {
    if (is_pinned()) os_.sched_setaffinity(sizeof before_, &before_);
  }

  [[nodiscard]] bool is_pinned() const noexcept { return of_peer_ >= 0; }
  [[nodiscard]] int of_peer() const noexcept { return of_peer_; }  // -1: any

 private:
  kernel& os_;
  cpu_set_t before_{};
  int of_peer_ = -1;
};

}  // namespace iolite::trace

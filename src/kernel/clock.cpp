// See iolite/clock.hpp: the time of the kernel that the thread runs on.
#include "iolite/clock.hpp"
#include "kernel/kernel.hpp"
#include "kernel/thread_state.hpp"

namespace iolite {

kernel& kernel::of_thread() noexcept {
  kernel* const simulated = state_of_thread().simulated;
  return simulated ? *simulated : real();
}

clock::time_point clock::now() noexcept { return kernel::of_thread().now(); }

}  // namespace iolite

// The counters of calls.hpp as users see them.
#include "kernel/calls.hpp"
#include "iolite/system_calls.hpp"

namespace iolite {

std::vector<system_call_count> system_calls() {
  std::vector<system_call_count> out;
  const call_counts counts = calls_of_process();
  for (std::size_t i = 0; i < call_count; ++i) {
    if (counts[i] > 0) out.push_back({call_names[i], counts[i]});
  }
  return out;
}

bool share_system_calls() noexcept { return share_call_counts(); }

}  // namespace iolite

// See stream.hpp: what the limits of a connection are.
#include "core/transfer_limits.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/stream.hpp"

#include <chrono>
#include <new>

namespace iolite {

// False: to nothing, also for want of memory to count with.
bool stream::limit_receiving(std::uint32_t bytes) noexcept {
  if (bytes > 0) {
    try {
      make_limits().receivable = bytes;
      return true;
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): see below
    }
  }
  more_.fetch_or(at_end);
  return false;
}

void stream::set_idle_timeout(clock::duration limit) noexcept {
  using std::chrono::milliseconds;
  const bool any = limit > clock::duration::zero() && limit < milliseconds(UINT32_MAX);
  idle_ms_ = any ? static_cast<std::uint32_t>(std::chrono::ceil<milliseconds>(limit).count()) : 0;
}

void stream::set_connection_timeout(clock::duration limit) {
  if (fd_ < 0 || (limit <= clock::duration::zero() && !limits())) return;
  make_limits().ends =
      limit > clock::duration::zero() ? deadline_after(engine_->now(), limit) : never;
}

void stream::set_rate_min(std::uint32_t bytes_per_second) {
  if (fd_ < 0 || (bytes_per_second == 0 && !limits())) return;
  make_limits().rate_min = bytes_per_second;
}

}  // namespace iolite

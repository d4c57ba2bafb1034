// Bounds on the receives and sends of one connection: how long it may be idle, how long it may
// last, how slow its peer may be. A stream is one; an engine asks it for the new deadline whenever
// a part of a transfer has moved. stream::set_idle_timeout() and its neighbours say what each bound
// means.
#pragma once
#include "iolite/core/operation.hpp"

#include <atomic>
#include <cstdint>

namespace iolite::detail {

struct transfer_limits;

class transfer_bounds {
 public:
  transfer_bounds(const transfer_bounds&) = delete;
  transfer_bounds& operator=(const transfer_bounds&) = delete;

  // Sets op.deadline as `op` begins; false: the time of the connection is over. Called by the
  // thread that uses this direction.
  bool bound(operation& op, engine& on) noexcept;
  // Sets op.deadline anew when some of its bytes have moved.
  void moved_on(operation& op, clock::time_point now) noexcept;

 protected:
  explicit transfer_bounds(std::uintptr_t more = 0) noexcept : more_(more) {}
  ~transfer_bounds() = default;  // the limits are the derived class's to delete

  // The limits that most connections do not have; null until they are made.
  [[nodiscard]] transfer_limits* limits() const noexcept;
  transfer_limits& make_limits();  // throws std::bad_alloc

  static constexpr std::uintptr_t flags = 7;  // the derived class's, kept below their address
  std::atomic<std::uintptr_t> more_;  // the limits, or null, and flags
  std::uint32_t idle_ms_ = 0;
};

}  // namespace iolite::detail

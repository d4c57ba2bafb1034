// What a connection keeps only when it is asked to: limits that most have none of.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/core/operation.hpp"

#include <atomic>
#include <cstdint>

namespace iolite::detail {

struct transfer_limits {
  static constexpr std::uint32_t unlimited = ~std::uint32_t{0};
  // A rate is kept when each lot, which is what has to move in that time, does.
  static constexpr clock::duration lot_time = std::chrono::seconds(10);

  // One direction; the thread that uses it.
  struct direction {
    clock::time_point since;  // accounted for up to here
    clock::duration waited = clock::duration::zero();  // for the lot
    std::uint64_t bytes = 0;  // of the lot
    std::size_t moved = 0;  // of the operation
    bool waits = false;  // an operation has begun, and not ended
  };

  clock::time_point ends = never;
  std::uint32_t rate_min = 0;  // bytes per second
  std::uint32_t receivable = unlimited;  // bytes, once the streams of its home are ending
  std::atomic<bool> receives = false;  // something has been received since the last send
  direction in;
  direction out;

  // An operation begins, its bytes move, it has ended.
  void begun(const operation& op, clock::time_point now) noexcept;
  void moved(const operation& op, clock::time_point now) noexcept;
  void ended(const operation& op, engine& on) noexcept;
  // When the rate is too low, if nothing moves until then.
  [[nodiscard]] clock::time_point too_slow_at(const operation& op) const noexcept;

 private:
  [[nodiscard]] direction& of(const operation& op) noexcept {
    return iolite::receives(op.kind) ? in : out;
  }
};

}  // namespace iolite::detail

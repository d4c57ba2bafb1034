// See iolite/core/transfer_bounds.hpp: how long a connection may last, and how little may move.
#include "core/transfer_limits.hpp"

#include "iolite/core/engine.hpp"
#include "iolite/core/transfer_bounds.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace iolite {

// --- the minimum rate ---

void detail::transfer_limits::begun(const operation& op, clock::time_point now) noexcept {
  direction& d = of(op);
  d.since = now;
  d.moved = 0;
  d.waits = true;
  if (iolite::receives(op.kind)) return;
  receives.store(false, std::memory_order_relaxed);  // what was received is answered
}

void detail::transfer_limits::moved(const operation& op, clock::time_point now) noexcept {
  direction& d = of(op);
  const std::size_t more = op.moved - std::exchange(d.moved, op.moved);
  const clock::duration waited = now - std::exchange(d.since, now);
  const bool first =
      iolite::receives(op.kind) && more > 0 && !receives.exchange(true, std::memory_order_relaxed);
  if (!first) {
    d.waited += waited;
    d.bytes += more;
  }
  constexpr auto seconds = static_cast<std::uint64_t>(lot_time / std::chrono::seconds(1));
  if (!first && d.bytes < rate_min * seconds) return;
  d.waited = clock::duration::zero();
  d.bytes = 0;
}

void detail::transfer_limits::ended(const operation& op, engine& on) noexcept {
  if (iolite::receives(op.kind) && receivable != unlimited) {
    receivable -= static_cast<std::uint32_t>(std::min<std::size_t>(receivable, op.moved));
  }
  if (std::exchange(of(op).waits, false) && rate_min > 0) moved(op, on.now());
}

clock::time_point detail::transfer_limits::too_slow_at(const operation& op) const noexcept {
  const direction& d = iolite::receives(op.kind) ? in : out;
  const bool counts = !iolite::receives(op.kind) || receives.load(std::memory_order_relaxed);
  return rate_min > 0 && counts ? deadline_after(d.since, lot_time - d.waited) : never;
}

// --- deadlines ---

detail::transfer_limits* detail::transfer_bounds::limits() const noexcept {
  const std::uintptr_t more = more_.load(std::memory_order_acquire);
  return reinterpret_cast<detail::transfer_limits*>(more & ~flags);
}

detail::transfer_limits& detail::transfer_bounds::make_limits() {
  if (auto* const l = limits()) return *l;
  auto made = std::make_unique<detail::transfer_limits>();
  more_.fetch_or(reinterpret_cast<std::uintptr_t>(made.get()), std::memory_order_release);
  return *made.release();
}

bool detail::transfer_bounds::bound(operation& op, engine& on) noexcept {
  auto* const l = limits();
  const clock::time_point now = on.now();
  if (l && now >= l->ends) return false;
  op.moved = 0;  // by an earlier operation in the same place
  if (l) l->begun(op, now);
  op.idles = op.deadline == never;
  if (op.idles) moved_on(op, now);
  else if (l) op.deadline = std::min(op.deadline, l->ends);
  return true;
}

void detail::transfer_bounds::moved_on(operation& op, clock::time_point now) noexcept {
  op.deadline = idle_ms_ > 0 ? deadline_after(now, std::chrono::milliseconds(idle_ms_)) : never;
  auto* const l = limits();
  if (!l) return;
  if (l->rate_min > 0) l->moved(op, now);
  op.deadline = std::min({op.deadline, l->ends, l->too_slow_at(op)});
}

}  // namespace iolite

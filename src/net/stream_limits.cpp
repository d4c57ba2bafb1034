// See stream.hpp: how long a connection may last, and how little may move.
#include "net/stream_limits.hpp"

#include "iolite/engine.hpp"
#include "iolite/stream.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <utility>

namespace iolite {

// --- the minimum rate ---

void detail::stream_limits::begun(const operation& op, clock::time_point now) noexcept {
  direction& d = of(op);
  d.since = now;
  d.moved = 0;
  d.waits = true;
  if (op.kind == op_kind::recv) return;
  receives.store(false, std::memory_order_relaxed);  // what was received is answered
}

void detail::stream_limits::moved(const operation& op, clock::time_point now) noexcept {
  direction& d = of(op);
  const std::size_t more = op.moved - std::exchange(d.moved, op.moved);
  const clock::duration waited = now - std::exchange(d.since, now);
  const bool first =
      op.kind == op_kind::recv && more > 0 && !receives.exchange(true, std::memory_order_relaxed);
  if (!first) {
    d.waited += waited;
    d.bytes += more;
  }
  constexpr auto seconds = static_cast<std::uint64_t>(lot_time / std::chrono::seconds(1));
  if (!first && d.bytes < rate_min * seconds) return;
  d.waited = clock::duration::zero();
  d.bytes = 0;
}

void detail::stream_limits::ended(const operation& op, engine& on) noexcept {
  if (op.kind == op_kind::recv && receivable != unlimited) {
    receivable -= static_cast<std::uint32_t>(std::min<std::size_t>(receivable, op.moved));
  }
  if (std::exchange(of(op).waits, false) && rate_min > 0) moved(op, on.now());
}

clock::time_point detail::stream_limits::too_slow_at(const operation& op) const noexcept {
  const direction& d = op.kind == op_kind::recv ? in : out;
  const bool counts = op.kind != op_kind::recv || receives.load(std::memory_order_relaxed);
  return rate_min > 0 && counts ? deadline_after(d.since, lot_time - d.waited) : never;
}

// --- deadlines ---

detail::stream_limits* stream::limits() const noexcept {
  const std::uintptr_t more = more_.load(std::memory_order_acquire);
  return reinterpret_cast<detail::stream_limits*>(more & ~flags);
}

detail::stream_limits& stream::make_limits() {
  if (auto* const l = limits()) return *l;
  auto made = std::make_unique<detail::stream_limits>();
  more_.fetch_or(reinterpret_cast<std::uintptr_t>(made.get()), std::memory_order_release);
  return *made.release();
}

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

bool stream::bound(operation& op, engine& on) noexcept {
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

void stream::moved_on(operation& op, clock::time_point now) noexcept {
  op.deadline = idle_ms_ > 0 ? deadline_after(now, std::chrono::milliseconds(idle_ms_)) : never;
  auto* const l = limits();
  if (!l) return;
  if (l->rate_min > 0) l->moved(op, now);
  op.deadline = std::min({op.deadline, l->ends, l->too_slow_at(op)});
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

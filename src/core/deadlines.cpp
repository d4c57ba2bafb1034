// See deadlines.hpp.
#include "core/deadlines.hpp"

#include "core/assert.hpp"

#include <algorithm>
#include <bit>

namespace iolite {

static_assert(clock::period::den == 1'000'000'000, "a tick is 2^16 of the clock's nanoseconds");

// Rounded up for deadlines, so that the tick has passed only when the deadline has.
std::uint64_t deadlines::tick_of(clock::time_point t, bool round_up) noexcept {
  const auto ns = std::max<std::int64_t>(t.time_since_epoch().count(), 0);
  const auto n = static_cast<std::uint64_t>(ns);
  return (n >> 16) + (round_up && (n & 0xffff) != 0 ? 1 : 0);
}

void deadlines::add(operation& op) noexcept {
  IOLITE_ASSERT(op.place == 0, "a deadline is armed once");
  ++size_;
  put(op, tick_of(op.deadline, true));
}

void deadlines::put(operation& op, std::uint64_t at) noexcept {
  if (at <= current_) {
    op.place = due_place;
    due_.push(op);
    return;
  }
  const auto highest = static_cast<unsigned>(63 - std::countl_zero(at ^ current_));
  const unsigned level = std::min(highest / 6, levels - 1);
  const auto slot = static_cast<unsigned>((at >> (6 * level)) & (slots - 1));
  op.place = static_cast<std::uint16_t>(1 + level * slots + slot);
  wheel_[level][slot].push(op);
  used_[level] |= std::uint64_t{1} << slot;
}

void deadlines::remove(operation& op) noexcept {
  if (op.place == 0) return;
  --size_;
  if (op.place == due_place) {
    due_.remove(op);
  } else {
    const unsigned level = (op.place - 1U) / slots;
    const unsigned slot = (op.place - 1U) % slots;
    wheel_[level][slot].remove(op);
    if (wheel_[level][slot].empty()) used_[level] &= ~(std::uint64_t{1} << slot);
  }
  op.place = 0;
}

unsigned deadlines::lowest_level() const noexcept {
  unsigned level = 0;
  while (level < levels && used_[level] == 0) ++level;
  return level;
}

// The tick at which the first slot in use of `level` begins.
std::uint64_t deadlines::first_slot_start(unsigned level) const noexcept {
  const auto slot = static_cast<std::uint64_t>(std::countr_zero(used_[level]));
  const unsigned below = 6 * level;
  const std::uint64_t above = (current_ >> (below + 6)) << (below + 6);
  return above | (slot << below);
}

operation* deadlines::expired(clock::time_point now) noexcept {
  const std::uint64_t today = tick_of(now, false);
  while (due_.empty()) {
    const unsigned level = lowest_level();
    if (level == levels || first_slot_start(level) > today) {
      current_ = std::max(current_, today);  // no slot in use lies between: levels stay right
      return nullptr;
    }
    current_ = first_slot_start(level);
    const auto slot = static_cast<unsigned>(std::countr_zero(used_[level]));
    list entered = std::exchange(wheel_[level][slot], {});
    used_[level] &= ~(std::uint64_t{1} << slot);
    while (operation* op = entered.pop()) put(*op, tick_of(op->deadline, true));
  }
  operation* op = due_.front();
  remove(*op);
  return op;
}

clock::time_point deadlines::next() const noexcept {
  if (!due_.empty()) return clock::time_point::min();
  const unsigned level = lowest_level();
  if (level == levels) return never;
  const std::uint64_t start = first_slot_start(level);
  constexpr std::uint64_t last = static_cast<std::uint64_t>(clock::duration::max().count()) >> 16;
  if (start > last) return never;
  return clock::time_point(clock::duration(static_cast<std::int64_t>(start << 16)));
}

}  // namespace iolite

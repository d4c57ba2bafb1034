// See deadlines.hpp.
#include "core/deadlines.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>

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
  put(op, std::max(tick_of(op.deadline, true), current_));
}

void deadlines::put(operation& op, std::uint64_t at) noexcept {
  const std::uint64_t differs = at ^ current_;
  unsigned level = 0;
  while (level + 1 < levels && differs >> below[level + 1] != 0) ++level;
  const std::uint64_t slot = (at >> below[level]) & ((std::uint64_t{1} << bits[level]) - 1);
  const unsigned lane = next_lane_++ & ((1U << lanes[level]) - 1);
  const auto number = first[level] + static_cast<unsigned>(slot << lanes[level] | lane);
  op.place = static_cast<std::uint16_t>(1 + number);
  if (!in_use(number)) std::construct_at(&list_of(number));
  list_of(number).push(op);
  use(number);
}

void deadlines::remove(operation& op) noexcept {
  if (op.place == 0) return;
  const unsigned number = op.place - 1U;
  op.place = 0;
  --size_;
  list_of(number).remove(op);
  if (list_of(number).empty()) leave(number);
}

// The front of a list that is in use, and is not any more.
operation* deadlines::leave(unsigned number) noexcept {
  std::uint64_t& word = used_[number / 64];
  word &= ~(std::uint64_t{1} << (number % 64));
  if (word == 0) words_ &= ~(std::uint64_t{1} << (number / 64));
  return list_of(number).front();
}

deadlines::place deadlines::first_in_use() const noexcept {
  if (words_ == 0) return {levels, 0};
  const auto word = static_cast<unsigned>(std::countr_zero(words_));
  const unsigned number = word * 64 + static_cast<unsigned>(std::countr_zero(used_[word]));
  unsigned level = 0;
  while (number >= first[level + 1]) ++level;
  return {level, (number - first[level]) >> lanes[level]};
}

// The tick at which a slot begins that lies ahead.
std::uint64_t deadlines::start_of(place p) const noexcept {
  const std::uint64_t above = (current_ >> below[p.level + 1]) << below[p.level + 1];
  return above | (std::uint64_t{p.slot} << below[p.level]);
}

// Its operations go to the levels below.
void deadlines::enter(place p) noexcept {
  current_ = start_of(p);
  const unsigned number = first[p.level] + (p.slot << lanes[p.level]);
  std::array<operation*, lanes_max> heads{};
  const unsigned n = 1U << lanes[p.level];
  for (unsigned i = 0; i < n; ++i) heads[i] = in_use(number + i) ? leave(number + i) : nullptr;
  for (bool any = true; any;) {
    any = false;
    for (unsigned i = 0; i < n; ++i) {
      operation* const op = heads[i];
      if (!op) continue;
      any = true;
      heads[i] = op->timer_next;
      __builtin_prefetch(heads[i]);
      put(*op, tick_of(op->deadline, true));
    }
  }
}

operation* deadlines::expired(clock::time_point now) noexcept {
  const std::uint64_t today = tick_of(now, false);
  for (;;) {
    const place p = first_in_use();
    if (p.level == levels || start_of(p) > today) {
      current_ = std::max(current_, today);  // no slot in use lies between: levels stay right
      return nullptr;
    }
    if (p.level > 0) {
      enter(p);
      continue;
    }
    current_ = start_of(p);
    operation* const op = list_of(p.slot).front();
    remove(*op);
    return op;
  }
}

clock::time_point deadlines::next() const noexcept {
  const place p = first_in_use();
  if (p.level == levels) return never;
  const std::uint64_t start = start_of(p);
  if (start <= current_) return clock::time_point::min();
  constexpr std::uint64_t last = static_cast<std::uint64_t>(clock::duration::max().count()) >> 16;
  if (start > last) return never;
  return clock::time_point(clock::duration(static_cast<std::int64_t>(start << 16)));
}

}  // namespace iolite

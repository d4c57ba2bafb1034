// The deadlines of an engine: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987), because
// nearly every deadline is armed and then cancelled, and both must cost nanoseconds at a million.
//
// A tick is 65.5 microseconds; a slot of the lowest level is one tick, one of the next level as
// much as the whole level below it. A deadline stands at the level of the highest bits in which its
// tick differs from the current one, so all slots in use lie ahead and the lowest level in use
// holds the earliest. Entering a slot of a higher level spreads its operations over the level
// below, which is small enough for all of it to stay in the cache: one of a second is moved once or
// twice. What is fetched from memory for that is the cost of a deadline that comes true, so a slot
// of the second level is four lists, walked side by side: four operations are fetched at a time.
#pragma once
#include "iolite/core/operation.hpp"

#include <array>

namespace iolite {

class deadlines {
 public:
  deadlines() noexcept {}  // not "= default": that would clear, and so touch, all of the lists
  // O(1). By op.deadline, which must not change while it is in.
  void add(operation& op) noexcept;
  // O(1); nothing to do for one that is not in.
  void remove(operation& op) noexcept;
  // Takes out one whose deadline has passed, or null. Never early, at most a tick late; in the
  // order of their ticks.
  [[nodiscard]] operation* expired(clock::time_point now) noexcept;
  // When expired() is worth asking: not after the earliest deadline plus a tick. `never` when
  // empty.
  [[nodiscard]] clock::time_point next() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  static constexpr clock::duration tick{std::int64_t{1} << 16};

 private:
  // Of the 48 bits that a tick has, rounded up, those of each level; and the sum of those below it.
  static constexpr std::array<unsigned, 6> bits{6, 8, 8, 8, 8, 10};
  static constexpr std::array<unsigned, 7> below{0, 6, 14, 22, 30, 38, 48};
  static constexpr unsigned levels = bits.size();
  // As powers of two: the lists of each slot. And the number of the first list of each level.
  static constexpr std::array<unsigned, 6> lanes{0, 2, 0, 0, 0, 0};
  static constexpr unsigned lanes_max = 4;
  static constexpr std::array<unsigned, 7> first{0, 64, 1088, 1344, 1600, 1856, 2880};
  static constexpr unsigned lists = first[levels];
  static_assert(lists % 64 == 0 && lists / 64 <= 64, "two levels of words find the first in use");

  using list = operation_list<&operation::timer_next, &operation::timer_prev>;
  struct place {
    unsigned level;
    unsigned slot;
  };

  void put(operation& op, std::uint64_t at) noexcept;
  void enter(place p) noexcept;
  operation* leave(unsigned number) noexcept;
  [[nodiscard]] static std::uint64_t tick_of(clock::time_point t, bool round_up) noexcept;
  // The first slot in use; of level `levels`: there is none.
  [[nodiscard]] place first_in_use() const noexcept;
  [[nodiscard]] std::uint64_t start_of(place p) const noexcept;

  [[nodiscard]] bool in_use(unsigned number) const noexcept {
    return (used_[number / 64] >> (number % 64) & 1) != 0;
  }
  void use(unsigned number) noexcept {
    used_[number / 64] |= std::uint64_t{1} << (number % 64);
    words_ |= std::uint64_t{1} << (number / 64);
  }
  [[nodiscard]] list& list_of(unsigned number) noexcept {
    return reinterpret_cast<list*>(wheel_.data())[number];
  }

  std::array<std::uint64_t, lists / 64> used_{};  // a bit a list
  std::uint64_t words_ = 0;  // a bit for each of those words that is not zero
  // The lists; only those in use exist. A thread with its own engine pays for no more.
  alignas(list) std::array<std::byte, lists * sizeof(list)> wheel_;
  std::uint64_t current_ = 0;  // tick up to which everything has been taken out
  std::size_t size_ = 0;
  unsigned next_lane_ = 0;
};

}  // namespace iolite

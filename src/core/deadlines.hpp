// The deadlines of an engine: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987), because
// nearly every deadline is armed and then cancelled, and both must cost nanoseconds at a million.
//
// Eight levels of 64 slots; a tick is 65.5 microseconds, a slot of level n spans 64^n ticks. A
// deadline stands at the level of the highest bits in which its tick differs from the current one,
// so all slots in use lie ahead and the lowest level in use holds the earliest. Entering a slot of
// a higher level spreads its operations over the lower ones: each is moved at most seven times.
#pragma once
#include "iolite/operation.hpp"

#include <array>

namespace iolite {

class deadlines {
 public:
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
  static constexpr unsigned levels = 8;
  static constexpr unsigned slots = 64;
  static constexpr std::uint16_t due_place = levels * slots + 1;

  using list = operation_list<&operation::timer_next, &operation::timer_prev>;

  void put(operation& op, std::uint64_t at) noexcept;
  [[nodiscard]] static std::uint64_t tick_of(clock::time_point t, bool round_up) noexcept;
  [[nodiscard]] unsigned lowest_level() const noexcept;
  [[nodiscard]] std::uint64_t first_slot_start(unsigned level) const noexcept;

  std::array<std::uint64_t, levels> used_{};  // a bit a slot
  std::array<std::array<list, slots>, levels> wheel_{};
  list due_;
  std::uint64_t current_ = 0;  // tick up to which everything has been taken out
  std::size_t size_ = 0;
};

}  // namespace iolite

// operator new of this executable: it counts, and fails by plan.
#pragma once
#include <cstdint>

namespace iolite_test::memory {

inline constexpr std::uint64_t for_ever = ~std::uint64_t{0};

// From now on allocations of all threads count from 1, and `times` of them from the `nth` on fail.
// nth 0: none does.
void arm(std::uint64_t nth = 0, std::uint64_t times = 1) noexcept;
// How many there were, and how many of them failed.
struct counted {
  std::uint64_t allocations = 0;
  std::uint64_t failed = 0;
};
counted disarm() noexcept;

// While it lives, allocations of this thread are the test's own: they do not count.
class spared {
 public:
  spared() noexcept;
  spared(const spared&) = delete;
  spared& operator=(const spared&) = delete;
  ~spared();
};

// Allocated and not yet given back, in the whole program.
[[nodiscard]] std::int64_t outstanding() noexcept;

}  // namespace iolite_test::memory

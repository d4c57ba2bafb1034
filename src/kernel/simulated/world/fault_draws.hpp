// Which faults happen in a run. Each draw follows from the seed, the program, the kind and how
// often that program has been asked for that kind: holding one fault back leaves all other draws,
// and all other chance of the run, as they were. So a failing run can be tried again with fewer
// faults.
#pragma once
#include "kernel/simulated/world/random.hpp"
#include "kernel/simulated/world/trace.hpp"

#include <algorithm>
#include <vector>

namespace iolite::simulated {

class fault_draws {
 public:
  // A fault that has happened.
  struct happened {
    std::uint64_t number;
    clock::duration when;
    unsigned who;
    fault_kind what;
  };

  explicit fault_draws(std::uint64_t seed) noexcept : seed_(seed), extent_(seed) {}

  // Only faults with these numbers happen from now on.
  void allow_only(std::vector<std::uint64_t> numbers) {
    std::ranges::sort(numbers);
    allowed_ = std::move(numbers);
    all_ = false;
  }

  // The number of the fault that this draw brings, or 0: it brings none, or one that is held back.
  std::uint64_t draw(fault_kind k, unsigned who, std::uint32_t in_a_million) {
    if (in_a_million == 0) return 0;
    if (who >= counts_.size()) counts_.resize(who + 1);
    const auto kind = static_cast<unsigned>(k);
    count& c = counts_[who][kind];
    random_source chance(seed_ ^ (++c.asked * 0xd1342543de82ef95U + name_of(kind, who)));
    if (!chance.chance(in_a_million)) return 0;
    const std::uint64_t number = (++c.came << 16) + name_of(kind, who);
    if (!all_ && !std::ranges::binary_search(allowed_, number)) return 0;
    extent_ = chance;
    return number;
  }
  // How short, how long: chance of its own for the fault that was drawn last.
  random_source& extent() noexcept { return extent_; }

  std::vector<happened> all;  // in the order they happened

 private:
  struct count {
    std::uint64_t asked = 0, came = 0;
  };
  // Of 1,024 programs; those of the later ones have numbers in common, which shrinks less well.
  static std::uint64_t name_of(unsigned kind, unsigned who) noexcept {
    return std::uint64_t{(who & 1023U) << 6 | kind};
  }
  static_assert(fault_kinds <= 64);

  const std::uint64_t seed_;
  random_source extent_;
  std::vector<std::array<count, fault_kinds>> counts_;  // by program
  bool all_ = true;
  std::vector<std::uint64_t> allowed_;  // sorted
};

}  // namespace iolite::simulated

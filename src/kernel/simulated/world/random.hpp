// The one source of chance of a simulated run: xoshiro256**, seeded by splitmix64. Not one of the
// standard library's, whose distributions give other numbers with another library.
#pragma once
#include "iolite/clock.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace iolite::simulated {

class random_source {
 public:
  explicit random_source(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() noexcept {
    const std::uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return out;
  }

  // 0 ... n - 1; n from 1 to 2^32. The bias of one in 2^32 / n is nobody's concern here.
  std::uint64_t below(std::uint64_t n) noexcept { return ((next() >> 32) * n) >> 32; }
  std::size_t from_one_to(std::size_t n) noexcept { return static_cast<std::size_t>(1 + below(n)); }
  // True so many times in a million. Nothing is drawn for what never happens.
  bool chance(std::uint32_t in_a_million) noexcept {
    return in_a_million > 0 && below(1'000'000) < in_a_million;
  }
  clock::duration between(clock::duration least, clock::duration most) noexcept {
    if (most <= least) return least;
    const auto range = static_cast<std::uint64_t>((most - least).count());
    return least + clock::duration(static_cast<clock::rep>(next() % (range + 1)));
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace iolite::simulated

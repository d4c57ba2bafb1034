// A small source of random numbers: the same ones from the same seed, on every machine.
#pragma once
#include <cmath>
#include <cstdint>

namespace iolite::app {

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
class random_source {
 public:
  explicit random_source(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  // From 0 on, below 1.
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // From 0 on, below `n`.
  std::uint64_t below(std::uint64_t n) noexcept {
    return static_cast<std::uint64_t>(unit() * static_cast<double>(n));
  }
  // The distance between two events of a Poisson process of rate 1.
  double exponential() noexcept { return -std::log1p(-unit()); }

 private:
  std::uint64_t state_;
};

}  // namespace iolite::app

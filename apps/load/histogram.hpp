// How often each latency occurred: exact to 0.1 %, from nanoseconds to centuries, in fixed memory.
//
// The slots are those of an HdrHistogram of three significant digits, so that its tools read what
// hdr.hpp writes: http://hdrhistogram.org.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace iolite::app {

class histogram {
 public:
  histogram() : counts_(slots) {}

  void add(std::uint64_t ns, std::uint64_t times) noexcept { add_evenly(ns, 0, 1, times); }
  // `count` values, the first of them `least` and each next one `step` more, all of them `times`.
  // As quick for many as for few.
  void add_evenly(std::uint64_t least, std::uint64_t step, std::uint64_t count,
                  std::uint64_t times) noexcept;
  // All that `other` has counted.
  void add(const histogram& other) noexcept;
  void clear() noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max_ns() const noexcept { return max_; }
  // What share `q` of all values, 0 to 1, does not exceed; 0 without values.
  [[nodiscard]] std::uint64_t quantile_ns(double q) const noexcept;
  // How often a value fell into each slot, up to the last that has one.
  [[nodiscard]] std::span<const std::uint64_t> counts() const noexcept;

 private:
  // 1024 steps to each power of two; below 2048 ns a slot a nanosecond.
  static constexpr unsigned step_bits = 10;
  static constexpr std::size_t slots = (64 - step_bits + 1) << step_bits;

  [[nodiscard]] static std::size_t slot_of(std::uint64_t ns) noexcept;
  [[nodiscard]] static std::uint64_t top_of(std::size_t slot) noexcept;

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace iolite::app

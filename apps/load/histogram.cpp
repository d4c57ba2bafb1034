#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace iolite::app {

std::size_t histogram::slot_of(std::uint64_t ns) noexcept {
  if (ns < (1U << step_bits)) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - step_bits;
  return ((std::size_t{shift} + 1) << step_bits) + ((ns >> shift) & ((1U << step_bits) - 1));
}

// The greatest value that falls into `slot`.
std::uint64_t histogram::top_of(std::size_t slot) noexcept {
  if (slot < (1U << step_bits)) return slot;
  const std::size_t shift = (slot >> step_bits) - 1;
  const std::uint64_t step = slot & ((1U << step_bits) - 1);
  return (((std::uint64_t{1} << step_bits) + step + 1) << shift) - 1;
}

void histogram::add_evenly(std::uint64_t least, std::uint64_t step, std::uint64_t count,
                           std::uint64_t times) noexcept {
  while (count > 0 && times > 0) {
    const std::size_t slot = slot_of(least);
    const std::uint64_t fit = step > 0 ? (top_of(slot) - least) / step + 1 : count;
    const std::uint64_t n = std::min(count, fit);
    counts_[slot] += n * times;
    count_ += n * times;
    count -= n;
    max_ = std::max(max_, least + (n - 1) * step);
    least += n * step;
  }
}

void histogram::add(const histogram& other) noexcept {
  const auto more = other.counts();
  for (std::size_t i = 0; i < more.size(); ++i) counts_[i] += more[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

void histogram::clear() noexcept {
  std::fill_n(counts_.begin(), counts().size(), 0);
  count_ = 0;
  max_ = 0;
}

std::uint64_t histogram::quantile_ns(double q) const noexcept {
  if (count_ == 0) return 0;
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < slots; ++i) {
    passed += counts_[i];
    if (passed >= rank) return std::min(top_of(i), max_);
  }
  return max_;
}

std::span<const std::uint64_t> histogram::counts() const noexcept {
  return std::span(counts_).first(count_ > 0 ? slot_of(max_) + 1 : 0);
}

}  // namespace iolite::app

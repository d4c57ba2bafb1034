// What a few rounds say about a figure, and what they do not.
#pragma once
#include <span>
#include <vector>

namespace iolite::app {

// A median, and where the true one lies with a confidence of 95 %.
struct interval {
  double least = 0;
  double middle = 0;
  double most = 0;
  bool known = false;  // one round says nothing about the next one

  // The half of its width, in per cent of the middle.
  [[nodiscard]] double spread_percent() const noexcept;
  // All of it below all of `other`: what is printed as a difference. Anything else is a tie.
  [[nodiscard]] bool below(const interval& other) const noexcept {
    return known && other.known && most < other.least;
  }
};

// The bootstrap interval of the median, of which no sample has to be drawn: how often the median of
// a resample is which sample follows from the binomial distribution (Efron, "Bootstrap methods",
// 1979). Widened for few samples as Hesterberg does: "What teachers should know about the
// bootstrap", 2015, 4.3. Of an even number of samples the lower middle one is the median.
[[nodiscard]] interval bootstrap_median(std::vector<double> samples);

// For each interval 1 and how many lie below it, so that ties share a rank.
[[nodiscard]] std::vector<unsigned> ranks(std::span<const interval> all);

}  // namespace iolite::app

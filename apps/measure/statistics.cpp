#include "measure/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace iolite::app {

namespace {

// Student's t, 97.5 %, by degrees of freedom from 1 on.
constexpr std::array t_975 = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                              2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                              2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                              2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
constexpr double z_975 = 1.960;

// The share of resamples that may lie on one side of the interval of `n` samples.
double tail_share(std::size_t n) {
  const double t = n - 2 < t_975.size() ? t_975[n - 2] : z_975;
  const double size = static_cast<double>(n);
  return std::erfc(std::sqrt(size / (size - 1)) * t / std::sqrt(2.0)) / 2;
}

// std::lgamma() writes the sign to a variable that all threads share.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// P(X >= k) for X successes in `n` trials, each with the chance `p`.
double at_least(std::size_t k, std::size_t n, double p) {
  if (p >= 1) return 1;
  const double trials = static_cast<double>(n);
  double sum = 0;
  for (std::size_t i = k; i <= n; ++i) {
    const double hits = static_cast<double>(i);
    sum += std::exp(log_gamma(trials + 1) - log_gamma(hits + 1) - log_gamma(trials - hits + 1) +
                    hits * std::log(p) + (trials - hits) * std::log1p(-p));
  }
  return sum;
}

// The first of n samples in order, by index, that the median of a resample does not exceed with
// this chance: it does not when more than half of the resample, its median included, do not.
std::size_t quantile_of_median(std::size_t n, double chance) {
  const std::size_t needed = (n - 1) / 2 + 1;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const double share = static_cast<double>(i + 1) / static_cast<double>(n);
    if (at_least(needed, n, share) >= chance) return i;
  }
  return n - 1;
}

}  // namespace

double interval::spread_percent() const noexcept {
  return middle > 0 ? 100 * (most - least) / 2 / middle : 0;
}

interval bootstrap_median(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::ranges::sort(samples);
  const std::size_t n = samples.size();
  const double middle = samples[(n - 1) / 2];
  if (n == 1) return {middle, middle, middle, false};
  const double tail = tail_share(n);
  return {samples[quantile_of_median(n, tail)], middle, samples[quantile_of_median(n, 1 - tail)],
          true};
}

std::vector<unsigned> ranks(std::span<const interval> all) {
  std::vector<unsigned> out;
  out.reserve(all.size());
  for (const interval& one : all)
    out.push_back(1 + static_cast<unsigned>(std::ranges::count_if(
                          all, [&](const interval& other) { return other.below(one); })));
  return out;
}

}  // namespace iolite::app

// Intervals: against every resample there is, and against what they promise.
#include "measure/statistics.hpp"
#include "load/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace {

using iolite::app::bootstrap_median;
using iolite::app::interval;
using iolite::app::random_source;
using iolite::app::ranks;

TEST(statistics, one_sample_says_nothing_about_the_next) {
  const interval one = bootstrap_median({7});
  EXPECT_FALSE(one.known);
  EXPECT_EQ(one.middle, 7);
  EXPECT_FALSE(one.below(bootstrap_median({8, 8, 8})));
  EXPECT_FALSE(bootstrap_median({}).known);
}

TEST(statistics, equal_samples_leave_no_doubt) {
  const interval i = bootstrap_median({5, 5, 5, 5});
  EXPECT_EQ(i.least, 5);
  EXPECT_EQ(i.most, 5);
  EXPECT_EQ(i.spread_percent(), 0);
}

TEST(statistics, few_samples_give_all_they_have) {
  for (std::size_t n = 2; n <= 5; ++n) {
    std::vector<double> samples;
    for (std::size_t i = n; i > 0; --i) samples.push_back(static_cast<double>(10 * i));
    const interval i = bootstrap_median(samples);
    EXPECT_EQ(i.least, 10) << n;
    EXPECT_EQ(i.most, 10.0 * static_cast<double>(n)) << n;
    EXPECT_EQ(i.middle, 10.0 * static_cast<double>((n + 1) / 2)) << n;
  }
}

// The share of one side, with Student's t for 6 degrees of freedom: sqrt(7/6) * 2.447 = 2.643 are
// 0.41 % of a normal distribution.
TEST(statistics, the_interval_is_that_of_all_resamples) {
  constexpr std::size_t n = 7;
  const std::vector<double> samples = {3, 1, 4, 15, 9, 2, 6};
  std::vector<double> medians;
  for (std::size_t code = 0; code < 823'543; ++code) {  // 7^7
    std::array<double, n> drawn{};
    std::size_t rest = code;
    for (double& d : drawn) {
      d = samples[rest % n];
      rest /= n;
    }
    std::ranges::nth_element(drawn, drawn.begin() + 3);
    medians.push_back(drawn[3]);
  }
  std::ranges::sort(medians);
  const auto at = [&](double share) {
    return medians[static_cast<std::size_t>(std::ceil(share * 823'543)) - 1];
  };
  const interval i = bootstrap_median(samples);
  EXPECT_EQ(i.least, at(0.0041));
  EXPECT_EQ(i.most, at(1 - 0.0041));
  EXPECT_EQ(i.middle, 4);
}

TEST(statistics, nine_in_ten_intervals_and_more_have_the_true_median) {
  random_source chance(1);
  const auto normal = [&] {
    return std::sqrt(2 * chance.exponential()) * std::cos(2 * std::numbers::pi * chance.unit());
  };
  for (const std::size_t n : {5U, 8U, 15U, 40U}) {
    int right = 0;
    for (int run = 0; run < 2000; ++run) {
      std::vector<double> samples(n);
      for (double& s : samples) s = 100 + normal();
      const interval i = bootstrap_median(samples);
      right += i.least <= 100 && 100 <= i.most ? 1 : 0;
    }
    EXPECT_GE(right, 1840) << n;  // of 2000
  }
}

TEST(statistics, ties_share_a_rank) {
  const std::vector<interval> all = {
      {10, 11, 12, true}, {1, 2, 3, true}, {2.5, 4, 5, true}, {3, 3.5, 4, true}, {0, 1, 1, false}};
  EXPECT_EQ(ranks(all), (std::vector<unsigned>{4, 1, 1, 1, 1}));
  EXPECT_TRUE((interval{1, 2, 2.9, true}.below({3, 4, 5, true})));
  EXPECT_FALSE((interval{1, 2, 3, true}.below({3, 4, 5, true})));  // they touch
}

}  // namespace

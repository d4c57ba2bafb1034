// Percentiles beside an exact sort.
#include "load/histogram.hpp"
#include "load/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

using iolite::app::histogram;
using iolite::app::random_source;

// Evenly over the orders of magnitude from 10 ns to 100 s.
std::vector<std::uint64_t> some_latencies(std::uint64_t seed, std::size_t n) {
  random_source chance(seed);
  std::vector<std::uint64_t> all(n);
  for (auto& ns : all) ns = static_cast<std::uint64_t>(std::pow(10.0, 1 + 10 * chance.unit()));
  return all;
}

std::uint64_t exact(std::vector<std::uint64_t> all, double q) {
  std::ranges::sort(all);
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(all.size())));
  return all[std::max<std::size_t>(rank, 1) - 1];
}

TEST(histograms, percentiles_are_those_of_an_exact_sort_within_a_thousandth) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto all = some_latencies(seed, 100'000);
    histogram h;
    for (const auto ns : all) h.add(ns, 1);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const auto due = static_cast<double>(exact(all, q));
      const auto got = static_cast<double>(h.quantile_ns(q));
      EXPECT_GE(got, due) << q;
      EXPECT_LE(got, due * 1.001) << q;
    }
    EXPECT_EQ(h.quantile_ns(1), std::ranges::max(all));
  }
}

TEST(histograms, two_microseconds_are_exact) {
  histogram h;
  for (std::uint64_t ns = 0; ns < 2048; ++ns) h.add(ns, 1);
  for (const std::uint64_t ns : {0U, 1U, 63U, 64U, 1023U, 1024U, 2047U})
    EXPECT_EQ(h.quantile_ns(static_cast<double>(ns + 1) / 2048), ns);
}

TEST(histograms, one_stall_in_a_hundred_shows_in_p99) {
  histogram h;
  h.add(100'000, 980);
  h.add(800'000'000, 20);
  EXPECT_LT(h.quantile_ns(0.98), 101'000U);
  EXPECT_GE(h.quantile_ns(0.99), 800'000'000U);
}

TEST(histograms, a_sum_is_what_both_have_counted) {
  const auto all = some_latencies(4, 10'000);
  histogram both, one, other;
  for (std::size_t i = 0; i < all.size(); ++i) {
    both.add(all[i], 1 + i % 3);
    (i % 2 ? one : other).add(all[i], 1 + i % 3);
  }
  one.add(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.max_ns(), both.max_ns());
  EXPECT_TRUE(std::ranges::equal(one.counts(), both.counts()));
}

TEST(histograms, nothing_is_left_after_clear) {
  histogram h;
  h.add(~std::uint64_t{0}, 3);
  EXPECT_EQ(h.max_ns(), ~std::uint64_t{0});
  h.clear();
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.quantile_ns(0.5), 0U);
  h.add(7, 1);
  EXPECT_EQ(h.quantile_ns(1), 7U);
  EXPECT_EQ(h.counts().size(), 8U);
}

TEST(histograms, evenly_spaced_values_are_as_if_added_one_by_one) {
  histogram evenly, singly;
  evenly.add_evenly(500, 1'000'000, 3000, 2);
  for (std::uint64_t i = 0; i < 3000; ++i) singly.add(500 + i * 1'000'000, 2);
  EXPECT_TRUE(std::ranges::equal(evenly.counts(), singly.counts()));
  EXPECT_EQ(evenly.max_ns(), singly.max_ns());
}

}  // namespace

// When requests are due.
#include "load/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

using namespace std::chrono_literals;
using iolite::clock;
using iolite::app::arrivals;
using iolite::app::rising_rate;
using iolite::app::schedule;

constexpr clock::time_point start{1'000s};

std::vector<double> moments(schedule s, std::size_t n) {
  std::vector<double> seconds;
  for (; n > 0; --n) {
    seconds.push_back(std::chrono::duration<double>(s.next() - start).count());
    s.use();
  }
  return seconds;
}

TEST(schedules, a_constant_rate_is_spread_over_the_connections) {
  const rising_rate rate{.rate = 100, .ramp = 0};
  for (unsigned i = 0; i < 4; ++i) {
    const auto at = moments(schedule(start, rate, i, 4, arrivals::constant), 5);
    for (unsigned k = 0; k < 5; ++k) EXPECT_NEAR(at[k], (i + 4 * k) / 100.0, 1e-8);
  }
}

TEST(schedules, a_ramp_rises_evenly_and_then_stays) {
  const rising_rate rate{.rate = 100, .ramp = 2};
  // 100 events in the ramp: half of the rate for two seconds; half of those in its last 0.586 s.
  EXPECT_DOUBLE_EQ(rate.seconds_until(0), 0);
  EXPECT_DOUBLE_EQ(rate.seconds_until(25), 1);
  EXPECT_DOUBLE_EQ(rate.seconds_until(100), 2);
  EXPECT_DOUBLE_EQ(rate.seconds_until(101), 2.01);
  for (const double t : {0.1, 0.5, 1.0, 1.999, 2.0, 2.5, 100.0})
    EXPECT_NEAR(rate.seconds_until(rate.events_by(t)), t, 1e-9);
}

TEST(schedules, poisson_arrivals_have_the_mean_and_the_spread_of_a_poisson_process) {
  constexpr std::size_t n = 200'000;
  const auto at = moments(schedule(start, {.rate = 1000, .ramp = 0}, 0, 10, arrivals::poisson), n);
  double sum = 0, squares = 0, longer_than_mean = 0;
  for (std::size_t i = 1; i < n; ++i) {
    const double gap = at[i] - at[i - 1];
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    longer_than_mean += gap > 0.01 ? 1 : 0;
  }
  const double mean = sum / (n - 1);
  EXPECT_NEAR(mean, 0.01, 0.0002);  // 1000/s over 10 connections; five standard errors: 0.00011
  EXPECT_NEAR(std::sqrt(squares / (n - 1) - mean * mean), 0.01, 0.0004);
  EXPECT_NEAR(longer_than_mean / (n - 1), std::exp(-1), 0.01);
}

TEST(schedules, connections_arrive_independently) {
  const rising_rate rate{.rate = 1000, .ramp = 0};
  const auto one = moments(schedule(start, rate, 0, 2, arrivals::poisson), 3);
  EXPECT_EQ(one, moments(schedule(start, rate, 0, 2, arrivals::poisson), 3));
  EXPECT_NE(one, moments(schedule(start, rate, 1, 2, arrivals::poisson), 3));
}

TEST(schedules, what_is_due_and_unused_is_counted) {
  schedule s(start, {.rate = 100, .ramp = 0}, 3, 4, arrivals::constant);  // at 30, 70, 110 ms ...
  EXPECT_EQ(s.unused_before(start + 30ms), 0U);
  EXPECT_EQ(s.unused_before(start + 31ms), 1U);
  EXPECT_EQ(s.unused_before(start + 71ms), 2U);
  EXPECT_EQ(s.unused_before(start + 1'031ms), 26U);
  s.use();
  EXPECT_EQ(s.unused_before(start + 1'031ms), 25U);
  EXPECT_EQ(s.period(), 40ms);
  EXPECT_EQ(schedule().unused_before(start + 1h), 0U);
}

TEST(schedules, of_a_poisson_process_as_many_are_due_as_are_to_be_expected) {
  const schedule s(start, {.rate = 1000, .ramp = 0}, 5, 10, arrivals::poisson);
  EXPECT_EQ(s.unused_before(s.next()), 0U);
  EXPECT_EQ(s.unused_before(s.next() + 1us), 1U);
  EXPECT_EQ(s.unused_before(s.next() + 1'005ms), 101U);
}

}  // namespace

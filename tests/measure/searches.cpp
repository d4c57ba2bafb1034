// The search for the highest rate that meets an objective, against a server that is a formula.
#include "load/objective.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace std::chrono_literals;
using iolite::app::load_result;
using iolite::app::objective;
using iolite::app::rate_search;

// M/M/1: with a capacity of `most` a second, the time in the system is exponential with the mean
// 1/(most - rate).
double p99_seconds(double most, double rate) {
  return rate < most ? std::log(100) / (most - rate) : INFINITY;
}

TEST(searches, the_highest_rate_of_a_queue_is_found) {
  for (const double most : {500.0, 20'000.0, 3e6})
    for (const double first : {0.01 * most, 0.5 * most, most, 40 * most}) {
      const double limit = 30 / most;  // 30 times the service
      const double highest = most - std::log(100) / limit;
      rate_search search(first, 0.05);
      unsigned tries = 0;
      while (const auto rate = search.next()) {
        search.tried(p99_seconds(most, *rate) <= limit);
        ASSERT_LT(++tries, 20U);
      }
      EXPECT_LE(search.met(), highest);
      EXPECT_GT(search.missed(), highest);
      EXPECT_LE(search.missed(), search.met() * 1.05);
    }
}

TEST(searches, a_server_that_never_meets_it_ends_the_search) {
  rate_search search(1000, 0.05);
  unsigned tries = 0;
  while (search.next()) {
    search.tried(false);
    ++tries;
  }
  EXPECT_EQ(search.met(), 0);
  EXPECT_EQ(tries, 10U);  // 1000, 500, ... above 1/s
}

TEST(searches, a_server_that_always_meets_it_ends_the_search) {
  rate_search search(1000, 0.05);
  unsigned tries = 0;
  while (search.next()) {
    search.tried(true);
    ASSERT_LT(++tries, 50U);
  }
  EXPECT_EQ(search.missed(), 0);
  EXPECT_GT(search.met(), 5e8);
}

TEST(searches, an_objective_is_read_as_it_is_written) {
  for (const char* const text : {"p99=5ms", "p50=100us", "p99.9=2s", "max=1s"}) {
    const auto o = objective::parse(text);
    ASSERT_TRUE(o) << text;
    EXPECT_EQ(o->text(), text);
  }
  for (const char* const text : {"", "p99", "p99=", "=5ms", "p0=5ms", "p100=5ms", "p-1=5ms",
                                 "99=5ms", "pnan=5ms", "p99=0s", "p99=5", "p99=-5ms", "mean=5ms"})
    EXPECT_FALSE(objective::parse(text)) << text;
}

TEST(searches, errors_and_silence_do_not_meet_it) {
  const objective o{0.99, 5ms};
  load_result r;
  EXPECT_FALSE(o.met_by(r));  // nothing was answered
  r.latency.add(4'000'000, 99);
  r.latency.add(1'000'000'000, 1);
  EXPECT_TRUE(o.met_by(r));
  EXPECT_FALSE((objective{1, 5ms}.met_by(r)));
  r.errors = 1;
  EXPECT_FALSE(o.met_by(r));
}

}  // namespace

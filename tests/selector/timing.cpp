// How long a wait is: never less than asked for. (More is the machine's affair, and not tested.)
#include "tests/selector/each_facility.hpp"

#include "kernel/calls.hpp"

#include <cstdint>
#include <numeric>

namespace selector_test {
namespace {

using clock = std::chrono::steady_clock;

std::int64_t since(clock::time_point start) {
  return std::chrono::nanoseconds(clock::now() - start).count();
}

std::uint64_t calls_so_far() {
  const auto counts = iolite::calls_of_thread();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

TEST_P(each_facility, a_wait_is_never_early) {
  const auto e = unix_pair();
  for (const bool empty : {true, false}) {
    if (!empty) {
      ASSERT_EQ(add(e.a, IOLITE_READ), 0);
    }
    for (const std::int64_t timeout : {std::int64_t{1}, std::int64_t{999}, 1 * ms - 1, 1 * ms,
                                       1 * ms + 1, 3 * ms / 2, 25 * ms, 41 * ms}) {
      const auto start = clock::now();
      EXPECT_EQ(wait(timeout), ready_list{});
      EXPECT_GE(since(start), timeout);
    }
  }
}

TEST_P(each_facility, a_wait_of_zero_looks_once) {
  const auto e = unix_pair();
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  EXPECT_EQ(wait(0), ready_list{});
  put(e.b);
  EXPECT_EQ(wait(0), (ready_list{{e.a, IOLITE_READ}}));
}

TEST_P(each_facility, a_negative_and_a_huge_timeout_end_when_something_is_ready) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  put(e.b);
  for (const std::int64_t timeout : {std::int64_t{-1}, INT64_MIN, INT64_MAX, INT64_MAX - 1,
                                     2'147'483'648 * ms, 315'576'000 * seconds}) {
    EXPECT_EQ(wait(timeout), (ready_list{{e.a, IOLITE_READ}})) << timeout;
  }
}

TEST_P(each_facility, signals_neither_end_a_wait_nor_shorten_it) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  const signal_storm storm;
  const int before = signal_storm::count();
  for (int i = 0; i < 5; ++i) {
    const auto start = clock::now();
    EXPECT_EQ(wait(30 * ms), ready_list{});
    EXPECT_GE(since(start), 30 * ms);
  }
  while (signal_storm::count() < before + 20) wait(5 * ms);
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, IOLITE_READ}}));
}

TEST_P(each_facility, an_idle_wait_sleeps) {
  if (!has(IOLITE_HAS_IDLE)) GTEST_SKIP() << GetParam() << " asks again and again, and says so";
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  wait(0);
  const auto before = calls_so_far();
  wait(100 * ms);
  EXPECT_LE(calls_so_far() - before, 20U);
}

}  // namespace
}  // namespace selector_test

// UDP between simulated hosts: what links, faults and hosts do to datagrams. What single calls give
// is in differential_datagrams.cpp.
#include "udp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

// All that come, until nothing does for long.
task<> collect(std::string at, std::vector<int>& got) {
  udp_socket s(co_await here{}, at);
  std::string text;
  while (co_await s.receive(text, 20s)) got.push_back(std::stoi(text));
}

struct numbers {
  simulate::report report;
  std::vector<int> got;
  std::string trace;
  [[nodiscard]] std::size_t different() const {
    return std::set<int>(got.begin(), got.end()).size();
  }
};

numbers run_numbers(std::uint64_t seed, const simulate::options& o, int count,
                    void (*plan)(simulate::world&, const simulate::host& from,
                                 const simulate::host& to) = nullptr) {
  numbers out;
  simulate::options with_trace = o;
  with_trace.trace_lines = 100'000;
  simulate::world w(seed, with_trace);
  const auto from = w.add_host("from"), to = w.add_host("to");
  w.run(to, "epoll", [&] { return collect(to.at(9000), out.got); });
  w.run(from, "poll", [&] { return send_numbers(to.at(9000), count); });
  if (plan) plan(w, from, to);
  out.report = w.finish();
  out.trace = w.trace();
  EXPECT_TRUE(out.report.ok()) << out.report.to_string();
  return out;
}

TEST(simulated_datagrams, on_a_good_link_all_arrive_once_and_in_order) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(seed, {.network = {1ms, 9ms}}, 200);
    EXPECT_EQ(n.got.size(), 200U);
    EXPECT_TRUE(std::ranges::is_sorted(n.got));
    EXPECT_EQ(n.report.faults_injected(), 0U);
  }
}

TEST(simulated_datagrams, some_get_lost) {
  std::uint64_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(seed, {.faults = {.loss = 0.2}}, 100);
    EXPECT_EQ(n.got.size() + count(n.report, "loss"), 100U);
    EXPECT_EQ(times(n.trace, "FAULT loss"), count(n.report, "loss"));
    EXPECT_TRUE(std::ranges::is_sorted(n.got));
    lost += count(n.report, "loss");
  }
  EXPECT_GT(lost, 100U);
  EXPECT_LT(lost, 300U);
}

TEST(simulated_datagrams, some_arrive_twice) {
  std::uint64_t twice = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(seed, {.faults = {.duplicate = 0.2}}, 100);
    EXPECT_EQ(n.different(), 100U);
    EXPECT_EQ(n.got.size(), 100 + count(n.report, "duplicate"));
    twice += count(n.report, "duplicate");
  }
  EXPECT_GT(twice, 100U);
}

TEST(simulated_datagrams, some_overtake_others) {
  std::uint64_t late = 0, out_of_order = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(seed, {.faults = {.reorder = 0.2, .delay_max = 20ms}}, 100);
    EXPECT_EQ(n.got.size(), 100U);
    EXPECT_EQ(n.different(), 100U);
    for (std::size_t i = 1; i < n.got.size(); ++i)
      out_of_order += n.got[i] < n.got[i - 1] ? 1U : 0U;
    late += count(n.report, "reorder");
  }
  EXPECT_GT(late, 100U);
  EXPECT_GT(out_of_order, 50U);
}

TEST(simulated_datagrams, delays_keep_their_order) {
  std::uint64_t delays = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(seed, {.faults = {.delay = 0.1}}, 100);
    EXPECT_EQ(n.got.size(), 100U);
    EXPECT_TRUE(std::ranges::is_sorted(n.got));
    delays += count(n.report, "delay");
  }
  EXPECT_GT(delays, 50U);
}

// A fault of a plan, and one that is held back.
TEST(simulated_datagrams, faults_of_datagrams_are_planned_and_held_back) {
  const auto cut_short = [](simulate::world& w, const simulate::host&, const simulate::host&) {
    w.fault_at(20ms, "a bad minute", [&w] { w.set_faults({.loss = 1}); });
    w.at(50ms, [&w] { w.set_faults({}); });
  };
  const numbers n = run_numbers(3, {}, 100, cut_short);
  EXPECT_GT(count(n.report, "loss"), 10U);
  EXPECT_EQ(n.got.size() + count(n.report, "loss"), 100U);
  const numbers none = run_numbers(3, {.only = std::vector<std::uint64_t>{}}, 100, cut_short);
  EXPECT_EQ(none.got.size(), 100U);
}

TEST(simulated_datagrams, what_a_partition_meets_is_lost) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(
        seed, {}, 100, [](simulate::world& w, const simulate::host& a, const simulate::host& b) {
          w.at(20ms, [&] { w.partition(a, b); });
          w.at(60ms, [&] { w.partition(a, b, false); });
        });
    const std::size_t lost = times(n.trace, "the link is down");
    EXPECT_GT(lost, 15U);
    EXPECT_EQ(n.got.size() + lost, 100U);
    EXPECT_TRUE(std::ranges::is_sorted(n.got));
  }
}

TEST(simulated_datagrams, a_link_that_flaps_lets_some_through) {
  const numbers n = run_numbers(
      1, {}, 300, [](simulate::world& w, const simulate::host& a, const simulate::host& b) {
        w.at(0ms, [&] { w.flap(a, b, 30ms, 30ms); });
      });
  const std::size_t lost = times(n.trace, "the link is down");
  EXPECT_GT(lost, 100U);
  EXPECT_GT(n.got.size(), 100U);
  EXPECT_EQ(n.got.size() + lost, 300U);
}

// Its kernel goes on, and holds what comes; its buffer is not endless.
TEST(simulated_datagrams, a_host_that_stands_still_finds_them_later) {
  const auto stall = [](simulate::world& w, const simulate::host&, const simulate::host& b) {
    w.at(20ms, [&] { w.stall(b, 10s); });
  };
  const numbers few = run_numbers(1, {}, 100, stall);
  EXPECT_EQ(few.got.size(), 100U);
  EXPECT_GE(few.report.elapsed, 10s);
  const numbers many = run_numbers(1, {}, 1'000, stall);
  EXPECT_GT(times(many.trace, ", no room"), 300U);
  EXPECT_EQ(many.got.size() + times(many.trace, ", no room"), 1'000U);
}

TEST(simulated_datagrams, a_crash_takes_what_was_queued) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const numbers n = run_numbers(
        seed, {}, 100, [](simulate::world& w, const simulate::host&, const simulate::host& b) {
          w.at(10ms, [&] { w.stall(b, 60ms); });
          w.at(50ms, [&] { w.crash(b); });
          w.at(100ms, [&] { w.restart(b); });
        });
    EXPECT_LT(n.got.size(), 70U);
    EXPECT_GT(n.got.size(), 40U);
    EXPECT_EQ(n.got.back(), 99);
    EXPECT_FALSE(std::ranges::binary_search(n.got, 15));  // it was in the queue
    EXPECT_GT(times(n.trace, "the link is down"), 15U);
  }
}

}  // namespace
}  // namespace iolite_test

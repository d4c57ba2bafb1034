// The timing wheel by itself: order, never early, far deadlines, and a million of them.
#include "core/deadlines.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace {

using namespace iolite;
using namespace std::chrono_literals;

clock::time_point at(clock::duration since_start) {
  return clock::time_point(1'000h) + since_start;
}

// An operation that only has a deadline.
std::unique_ptr<operation> due(clock::time_point when) {
  auto op = std::make_unique<operation>();
  op->deadline = when;
  return op;
}

TEST(deadlines, an_empty_wheel_has_nothing_to_wait_for) {
  deadlines wheel;
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.next(), never);
  EXPECT_EQ(wheel.expired(at(0s)), nullptr);
}

TEST(deadlines, never_early_and_at_most_a_tick_late) {
  for (const clock::duration length :
       {clock::duration(1ns), clock::duration(65us), clock::duration(66us), clock::duration(1ms),
        clock::duration(4200us), clock::duration(300ms), clock::duration(20s),
        clock::duration(2h)}) {
    deadlines wheel;
    EXPECT_EQ(wheel.expired(at(0s)), nullptr);
    const auto op = due(at(length));
    wheel.add(*op);
    EXPECT_EQ(wheel.expired(at(length) - 1ns), nullptr) << length.count();
    EXPECT_EQ(wheel.expired(at(length) + deadlines::tick), op.get()) << length.count();
    EXPECT_TRUE(wheel.empty());
  }
}

TEST(deadlines, next_is_not_after_the_earliest_plus_a_tick) {
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  std::vector<std::unique_ptr<operation>> ops;
  for (const auto length : {5000ms, 300ms, 70ms, 9ms}) {
    ops.push_back(due(at(length)));
    wheel.add(*ops.back());
    EXPECT_LE(wheel.next(), at(length) + deadlines::tick);
  }
  while (operation* op = wheel.expired(at(6s))) EXPECT_NE(op, nullptr);
}

// Asking again and again at next() arrives at the deadline in few steps: nobody spins.
TEST(deadlines, waiting_by_next_arrives_in_few_steps) {
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  const auto op = due(at(24h * 365));
  wheel.add(*op);
  clock::time_point now = at(0s);
  int steps = 0;
  while (!wheel.expired(now)) {
    ASSERT_LT(++steps, 50);
    const clock::time_point next = wheel.next();
    ASSERT_GT(next, now) << "next() does not move on";
    now = next;
  }
  EXPECT_GE(now, op->deadline);
}

TEST(deadlines, removed_ones_do_not_expire) {
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  const auto a = due(at(10ms));
  const auto b = due(at(20ms));
  wheel.add(*a);
  wheel.add(*b);
  EXPECT_EQ(wheel.size(), 2U);
  wheel.remove(*a);
  wheel.remove(*a);  // nothing to do
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(wheel.expired(at(1s)), b.get());
  EXPECT_EQ(wheel.expired(at(1s)), nullptr);
}

TEST(deadlines, one_that_has_passed_expires_at_once) {
  deadlines wheel;
  EXPECT_EQ(wheel.expired(at(5s)), nullptr);
  const auto late = due(at(1s));
  const auto first = due(clock::time_point::min());
  wheel.add(*late);
  wheel.add(*first);
  EXPECT_LE(wheel.next(), at(5s) + deadlines::tick);
  EXPECT_NE(wheel.expired(at(5s)), nullptr);
  EXPECT_NE(wheel.expired(at(5s)), nullptr);
  EXPECT_TRUE(wheel.empty());
}

TEST(deadlines, far_deadlines_can_be_held_and_removed) {
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  const auto ten_years = due(at(24h * 3650));
  const auto a_century = due(at(24h * 36500));
  const auto nearly_never = due(never - 1ns);
  for (operation* op : {ten_years.get(), a_century.get(), nearly_never.get()}) wheel.add(*op);
  EXPECT_EQ(wheel.expired(at(24h)), nullptr);
  EXPECT_GT(wheel.next(), at(24h));
  EXPECT_EQ(wheel.expired(at(24h * 3651)), ten_years.get());
  EXPECT_EQ(wheel.expired(at(24h * 3651)), nullptr);
  wheel.remove(*a_century);
  wheel.remove(*nearly_never);
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.next(), never);
}

TEST(deadlines, a_clock_that_jumps_far_ahead_expires_all_in_order) {
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  std::vector<std::unique_ptr<operation>> ops;
  for (int i = 0; i < 5000; ++i) {
    ops.push_back(due(at(std::chrono::milliseconds((i * 7919) % 5000))));
    wheel.add(*ops.back());
  }
  clock::time_point before{};
  int count = 0;
  while (const operation* op = wheel.expired(at(24h * 400))) {
    EXPECT_LE(before - op->deadline, deadlines::tick);
    before = op->deadline;
    ++count;
  }
  EXPECT_EQ(count, 5000);
}

// Adds, removals and expiries at random, against a plain model.
TEST(deadlines, random_play_never_expires_early_and_loses_nothing) {
  std::mt19937_64 random(12345);
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  std::vector<std::unique_ptr<operation>> live;
  clock::duration now{0};
  std::size_t added = 0;
  std::size_t gone = 0;
  for (int step = 0; step < 50'000; ++step) {
    const auto r = random() % 10;
    if (r < 6) {
      const auto length = clock::duration(
          static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 44))));
      live.push_back(due(at(now + length)));
      wheel.add(*live.back());
      ++added;
    } else if (r < 8 && !live.empty()) {
      const std::size_t i = random() % live.size();
      wheel.remove(*live[i]);
      std::swap(live[i], live.back());
      live.pop_back();
      ++gone;
    } else {
      now += clock::duration(
          static_cast<std::int64_t>(random() % (std::uint64_t{1} << (random() % 38))));
      while (operation* op = wheel.expired(at(now))) {
        EXPECT_LE(op->deadline, at(now));
        const auto it =
            std::find_if(live.begin(), live.end(), [&](const auto& l) { return l.get() == op; });
        ASSERT_NE(it, live.end()) << "expired twice";
        live.erase(it);
        ++gone;
      }
      for (const auto& l : live)
        ASSERT_GT(l->deadline + deadlines::tick, at(now)) << "one was forgotten";
    }
    ASSERT_EQ(wheel.size(), live.size());
    ASSERT_EQ(added - gone, live.size());
  }
  for (const auto& l : live) wheel.remove(*l);
}

TEST(deadlines, a_million_timers) {
  constexpr std::size_t count = 1'000'000;
  const auto ops = std::make_unique<operation[]>(count);
  deadlines wheel;
  static_cast<void>(wheel.expired(at(0s)));
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < count; ++i) {
    ops[i].deadline = at(std::chrono::microseconds(random() % 60'000'000));
    wheel.add(ops[i]);
  }
  EXPECT_EQ(wheel.size(), count);
  for (std::size_t i = 0; i < count; i += 2) wheel.remove(ops[i]);
  EXPECT_EQ(wheel.size(), count / 2);
  std::size_t expired = 0;
  clock::time_point before{};
  for (clock::time_point now = at(0s); !wheel.empty(); now += 50ms) {
    while (const operation* op = wheel.expired(now)) {
      ASSERT_LE(op->deadline, now);
      ASSERT_LE(before - op->deadline, deadlines::tick);
      before = op->deadline;
      ++expired;
    }
  }
  EXPECT_EQ(expired, count / 2);
}

}  // namespace

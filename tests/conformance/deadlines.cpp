// Time: never early, in order, also in great numbers, and no byte is lost to a time-out.
#include "support/engine_test.hpp"

#include "kernel/kernel.hpp"

#include <algorithm>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, sleep_is_never_early) {
  for (const auto length : {0ms, 1ms, 2ms, 5ms, 17ms, 40ms}) {
    const auto begin = now();
    outcome out;
    run(sleeping(length, out));
    EXPECT_GE(now() - begin, length);
    EXPECT_EQ(out.times, 1);
    EXPECT_FALSE(out.code);
  }
}

TEST_P(engine, sleep_of_less_than_a_millisecond_is_never_early) {
  for (int us = 1; us < 3000; us += us < 200 ? 7 : 97) {
    const auto length = std::chrono::microseconds(us);
    const auto begin = now();
    outcome out;
    run(sleeping(length, out));
    EXPECT_GE(now() - begin, length);
  }
}

TEST_P(engine, sleep_until_a_time_that_has_passed_ends_at_once) {
  struct body {
    static task<> check() {
      const auto past = co_await sleep_until(now() - 1h);
      EXPECT_TRUE(past);
      const auto negative = co_await iolite::sleep(-5s);
      EXPECT_TRUE(negative);
      const auto zero = co_await iolite::sleep(0ms);
      EXPECT_TRUE(zero);
    }
  };
  run(body::check());
}

TEST_P(engine, sleep_until_is_never_early) {
  struct body {
    static task<> check() {
      const auto until = now() + 12345us;
      const auto r = co_await sleep_until(until);
      EXPECT_TRUE(r);
      EXPECT_GE(now(), until);
    }
  };
  run(body::check());
}

task<std::error_code> receive_code(stream& from, iolite::clock::duration limit) {
  const auto r = co_await receive_within(from, limit);
  co_return r ? std::error_code() : r.error();
}

TEST_P(engine, receive_times_out_at_its_deadline_and_not_before) {
  half_pair pair = unix_half(on());
  for (const auto limit : {1ms, 5ms, 20ms}) {
    const auto begin = now();
    EXPECT_EQ(run(receive_code(pair.ours, limit)), std::errc::timed_out);
    EXPECT_GE(now() - begin, limit);
  }
}

TEST_P(engine, receive_with_a_deadline_of_zero_takes_what_is_there) {
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(receive_code(pair.ours, 0ms)), std::errc::timed_out);
  pair.theirs.send_all("there");
  EXPECT_EQ(run(receive_within(pair.ours, 0ms)).value_or("error"), "there");
  pair.theirs.send_all("again");
  EXPECT_EQ(run(receive_within(pair.ours, -1s)).value_or("error"), "again");
}

TEST_P(engine, a_deadline_that_is_not_reached_changes_nothing) {
  half_pair pair = unix_half(on());
  for (int i = 0; i < 100; ++i) {
    pair.theirs.send_all("x");
    EXPECT_EQ(run(receive_within(pair.ours, 1h)).value_or("error"), "x");
  }
}

TEST_P(engine, an_operation_goes_on_after_one_that_timed_out) {
  half_pair pair = tcp_half(on());
  EXPECT_EQ(run(receive_code(pair.ours, 2ms)), std::errc::timed_out);
  EXPECT_TRUE(run(send_text(pair.ours, "hello")));
  EXPECT_EQ(pair.theirs.recv_exactly(5), "hello");
  pair.theirs.send_all("world");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "world");
}

TEST_P(engine, send_times_out_when_the_peer_does_not_read) {
  half_pair pair = unix_half(on());
  struct body {
    static task<std::error_code> check(stream& to, std::string_view big) {
      const auto r = co_await (to.send_all(big) | within{10ms});
      co_return r ? std::error_code() : r.error();
    }
  };
  const std::string big = pattern(8 << 20);
  const auto begin = now();
  EXPECT_EQ(run(body::check(pair.ours, big)), std::errc::timed_out);
  EXPECT_GE(now() - begin, 10ms);
}

TEST_P(engine, an_event_wait_times_out) {
  struct body {
    static task<std::error_code> check(event& e) {
      const auto r = co_await (e.wait() | within{5ms});
      co_return r ? std::error_code() : r.error();
    }
  };
  event e;
  const auto begin = now();
  EXPECT_EQ(run(body::check(e)), std::errc::timed_out);
  EXPECT_GE(now() - begin, 5ms);
}

TEST_P(engine, the_idle_timeout_of_a_stream_bounds_each_receive) {
  half_pair pair = unix_half(on());
  pair.ours.set_idle_timeout(10ms);
  const auto begin = now();
  const auto r = run(receive(pair.ours));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), std::errc::timed_out);
  EXPECT_GE(now() - begin, 10ms);
  pair.ours.set_idle_timeout(0ms);
  pair.theirs.send_all("x");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "x");
}

TEST_P(engine, the_idle_timeout_of_a_stream_is_rounded_up_to_milliseconds) {
  half_pair pair = unix_half(on());
  pair.ours.set_idle_timeout(1001us);
  const auto begin = now();
  const auto r = run(receive(pair.ours));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), std::errc::timed_out);
  EXPECT_GE(now() - begin, 2ms);
}

TEST_P(engine, a_timeout_of_one_operation_overrides_the_idle_timeout) {
  half_pair pair = unix_half(on());
  pair.ours.set_idle_timeout(1h);
  EXPECT_EQ(run(receive_code(pair.ours, 5ms)), std::errc::timed_out);
}

TEST_P(engine, the_earliest_deadline_ends_first) {
  struct bodies {
    static task<> one(int ms, channel<int>& done) {
      const auto r = co_await iolite::sleep(std::chrono::milliseconds(ms));
      EXPECT_TRUE(r);
      const auto told = co_await done.send(ms);
      EXPECT_TRUE(told);
    }
    static task<> all(std::vector<int>& order) {
      channel<int> done(16);
      scope s;
      for (const int ms : {90, 30, 150, 60, 120}) s.spawn(one(ms, done));
      co_await s.join();
      while (const auto ms = done.try_receive()) order.push_back(*ms);
    }
  };
  if (traits().blocking)
    GTEST_SKIP() << "which of several threads wakes first is the scheduler's choice";
  std::vector<int> order;
  run(bodies::all(order));
  EXPECT_EQ(order, (std::vector{30, 60, 90, 120, 150}));
}

TEST_P(engine, ten_thousand_timers_end_in_order_and_none_early) {
  if (traits().blocking)
    GTEST_SKIP() << "ten thousand tasks are ten thousand threads on a blocking engine";
  struct bodies {
    static task<> one(iolite::clock::time_point until,
                      std::vector<iolite::clock::time_point>& order, int& early) {
      const auto r = co_await sleep_until(until);
      EXPECT_TRUE(r);
      if (now() < until) ++early;
      order.push_back(until);
    }
    static task<> all(std::vector<iolite::clock::time_point>& order, int& early) {
      scope s;
      const auto begin = now() + 50ms;
      std::uint64_t x = 88172645463325252ULL;
      for (int i = 0; i < 10'000; ++i) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        s.spawn(one(begin + std::chrono::microseconds(x % 300'000), order, early));
      }
      co_await s.join();
    }
  };
  std::vector<iolite::clock::time_point> order;
  int early = 0;
  run(bodies::all(order, early));
  EXPECT_EQ(order.size(), 10'000U);
  EXPECT_EQ(early, 0);
  // In order up to the resolution that time.hpp promises.
  for (std::size_t i = 1; i < order.size(); ++i) EXPECT_LE(order[i - 1] - order[i], 66us) << i;
}

TEST_P(engine, a_deadline_in_ten_years_can_be_cancelled) {
  struct bodies {
    static task<> all(outcome& out, outcome& out2) {
      scope s;
      s.spawn(sleeping(std::chrono::hours(24 * 3650), out));
      s.spawn(sleeping(iolite::clock::duration::max(), out2));
      co_await let_others_run();
      EXPECT_EQ(out.times, 0);
      s.cancel();
      co_await s.join();
    }
  };
  outcome out;
  outcome out2;
  if (traits().blocking) GTEST_SKIP() << "reads what another thread writes";
  run(bodies::all(out, out2));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  EXPECT_EQ(out2.code, std::errc::operation_canceled);
}

TEST_P(engine, a_receive_with_a_deadline_in_ten_years_receives) {
  half_pair pair = unix_half(on());
  other_thread peer([&] { pair.theirs.send_all("at last"); });
  EXPECT_EQ(run(receive_within(pair.ours, std::chrono::hours(24 * 3650))).value_or("error"),
            "at last");
  peer.join();
}

// The bytes come at about the deadline, from another thread: the receive gets them or the next
// does.
TEST_P(engine, bytes_that_race_with_a_timeout_are_never_lost) {
  constexpr int rounds = 400;
  half_pair pair = unix_half(on());
  std::atomic<std::int64_t> due = 0;  // when to send the next byte; 0: not yet
  other_thread peer([&] {
    for (int i = 0; i < rounds; ++i) {
      std::int64_t at = 0;
      while ((at = due.exchange(0)) == 0) system_of_test().sched_yield();
      while (now().time_since_epoch().count() < at) {
        if (is_simulated()) system_of_test().sched_yield();  // else nobody else could go on
      }
      const char byte = static_cast<char>('a' + i % 26);
      pair.theirs.send_all({&byte, 1});
    }
  });
  struct body {
    static task<> check(stream& from, std::atomic<std::int64_t>& due, std::string& all,
                        int& timeouts) {
      for (int i = 0; i < rounds; ++i) {
        const auto limit = std::chrono::microseconds(200 + i % 50 * 20);
        const auto spread = std::chrono::microseconds(i % 7 * 20 - 60);
        due = (now() + limit + spread).time_since_epoch().count();
        auto r = co_await receive_within(from, limit);
        if (!r) {
          ++timeouts;
          EXPECT_EQ(r.error(), std::errc::timed_out);
          r = co_await receive_within(from, 10s);
        }
        all += r.value_or("!");
      }
    }
  };
  std::string all;
  int timeouts = 0;
  run(body::check(pair.ours, due, all, timeouts));
  peer.join();
  std::string expected;
  for (int i = 0; i < rounds; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(all, expected);
  RecordProperty("timeouts", timeouts);
}

// The same for leases: a lease that arrives with the time-out is delivered.
TEST_P(engine, leased_bytes_that_race_with_a_timeout_are_never_lost) {
  constexpr int rounds = 300;
  struct body {
    static task<> check(half_pair& pair, std::string& all) {
      for (int i = 0; i < rounds; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        if (i % 2) pair.theirs.send_all({&byte, 1});
        for (int attempt = 0; attempt < 2; ++attempt) {
          const within limit{attempt == 0 ? iolite::clock::duration(1us) : 10s};
          auto got = co_await (pair.ours.recv_lease() | limit);
          if (got) {
            all += std::string(reinterpret_cast<const char*>(got->bytes().data()),
                               got->bytes().size());
            break;
          }
          EXPECT_EQ(got.error(), std::errc::timed_out);
          if (i % 2 == 0) pair.theirs.send_all({&byte, 1});
        }
      }
    }
  };
  half_pair pair = unix_half(on());
  std::string all;
  run(body::check(pair, all));
  std::string expected;
  for (int i = 0; i < rounds; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(all, expected);
}

}  // namespace
}  // namespace iolite_test

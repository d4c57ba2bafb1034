// oneshot, semaphore, mutex, ticker: one value, so many at a time, one at a time, again and again.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// --- oneshot ---

task<> receive_into(oneshot<std::string>& from, outcome& out) {
  const auto r = co_await from.receive();
  out.set(r);
}

TEST_P(engine, a_oneshot_gives_its_value_whoever_comes_first) {
  struct body {
    static task<> check() {
      oneshot<std::string> early;
      EXPECT_TRUE(early.send("value"));
      EXPECT_FALSE(early.send("second"));
      const auto r = co_await early.receive();
      EXPECT_EQ(r.value_or("?"), "value");
      const auto again = co_await early.receive();
      EXPECT_EQ(again ? std::error_code() : again.error(), errc::closed) << "it was received";

      oneshot<std::string> late;
      outcome out;
      scope s;
      s.spawn(receive_into(late, out));
      co_await let_others_run();
      EXPECT_TRUE(late.send("value"));
      co_await s.join();
      EXPECT_EQ(out.bytes, "value");
    }
  };
  run(body::check());
}

TEST_P(engine, a_oneshot_between_threads_loses_nothing) {
  for (int i = 0; i < 200; ++i) {
    oneshot<std::string> answer;
    other_thread other([&] { EXPECT_TRUE(answer.send("from elsewhere")); });
    outcome out;
    run(receive_into(answer, out));
    other.join();
    EXPECT_EQ(out.bytes, "from elsewhere");
  }
}

TEST_P(engine, a_oneshot_that_is_closed_has_no_value) {
  struct body {
    static task<> check() {
      oneshot<std::string> none;
      outcome out;
      scope s;
      s.spawn(receive_into(none, out));
      co_await let_others_run();
      none.close();
      co_await s.join();
      EXPECT_EQ(out.code, make_error_code(errc::closed));
      EXPECT_FALSE(none.send("late"));

      oneshot<std::string> some;
      EXPECT_TRUE(some.send("value"));
      some.close();
      const auto r = co_await some.receive();
      EXPECT_EQ(r.value_or("?"), "value") << "what was sent is received";
    }
  };
  run(body::check());
}

TEST_P(engine, a_oneshot_tells_all_who_wait_when_its_value_comes) {
  struct body {
    static task<> check() {
      oneshot<std::string> one;
      outcome first, second;
      scope s;
      s.spawn(receive_into(one, first));
      s.spawn(receive_into(one, second));
      co_await let_others_run();
      EXPECT_TRUE(one.send("value"));
      co_await s.join();
      const auto closed = make_error_code(errc::closed);
      EXPECT_TRUE((first.code == closed) != (second.code == closed)) << "one has received it";
    }
  };
  run(body::check());
}

TEST_P(engine, permits_that_are_added_cost_no_time_each) {
  struct body {
    static task<> check() {
      semaphore s(0);
      s.add(SIZE_MAX);
      EXPECT_EQ(s.available(), SIZE_MAX);
      co_return;
    }
  };
  run(body::check());
}

TEST_P(engine, a_oneshot_keeps_its_value_when_a_receive_gives_up) {
  struct body {
    static task<> check() {
      oneshot<std::unique_ptr<int>> value;
      const auto none = co_await (value.receive() | within{2ms});
      EXPECT_EQ(none ? std::error_code() : none.error(), std::errc::timed_out);
      EXPECT_FALSE(value.try_receive());
      EXPECT_TRUE(value.send(std::make_unique<int>(42)));
      const auto some = co_await (value.receive() | within{0ms});
      EXPECT_TRUE(some && **some == 42) << "it was there";
    }
  };
  run(body::check());
}

// --- semaphore and mutex ---

struct counted {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;

  void enter() {
    const int now_inside = ++inside;
    int seen = most;
    while (seen < now_inside && !most.compare_exchange_weak(seen, now_inside)) {
    }
  }
  void leave() {
    --inside;
    ++done;
  }
};

task<> work(semaphore& limit, counted& c, int times) {
  for (int i = 0; i < times; ++i) {
    const auto permit = co_await limit.acquire();
    EXPECT_TRUE(permit);
    c.enter();
    EXPECT_TRUE(co_await sleep(i % 3 == 0 ? 1ms : 0ms));
    c.leave();
  }
}

TEST_P(engine, a_semaphore_lets_so_many_in_at_a_time) {
  struct body {
    static task<> check(counted& c) {
      semaphore limit(3);
      scope s;
      for (int i = 0; i < 8; ++i) s.spawn(work(limit, c, 5));
      co_await s.join();
      EXPECT_EQ(limit.available(), 3U);
    }
  };
  counted c;
  run(body::check(c));
  EXPECT_EQ(c.done, 40);
  EXPECT_LE(c.most, 3);
  EXPECT_GE(c.most, 2) << "not one after the other";
}

TEST_P(engine, permits_go_to_who_waits_longest) {
  if (traits().blocking) GTEST_SKIP() << "who begins to wait first is the scheduler's choice there";
  struct body {
    static task<> take(semaphore& s, int number, std::vector<int>& order) {
      const auto permit = co_await s.acquire();
      EXPECT_TRUE(permit);
      order.push_back(number);
    }
    static task<> check(std::vector<int>& order) {
      semaphore one(1);
      auto held = one.try_acquire();
      EXPECT_TRUE(held);
      EXPECT_FALSE(one.try_acquire());
      scope s;
      for (int i = 0; i < 5; ++i) s.spawn(take(one, i, order));
      held.release();
      EXPECT_FALSE(one.try_acquire()) << "it is another's already";
      co_await s.join();
    }
  };
  std::vector<int> order;
  run(body::check(order));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_P(engine, an_acquire_that_is_cancelled_or_late_has_no_permit) {
  struct body {
    static task<> wait(semaphore& s, outcome& out) {
      const auto permit = co_await s.acquire();
      out.set(permit ? std::error_code() : permit.error());
    }
    static task<> check() {
      semaphore one(1);
      auto held = one.try_acquire();
      const auto late = co_await (one.acquire() | within{2ms});
      EXPECT_EQ(late ? std::error_code() : late.error(), std::errc::timed_out);
      outcome out;
      scope s;
      s.spawn(wait(one, out));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
      EXPECT_EQ(out.code, std::errc::operation_canceled);
      EXPECT_EQ(one.available(), 0U);
      held.release();
      EXPECT_EQ(one.available(), 1U);
      one.add(2);
      EXPECT_EQ(one.available(), 3U);
    }
  };
  run(body::check());
}

// Whatever races with the cancel: all permits are there afterwards.
TEST_P(engine, cancelled_acquires_lose_no_permit) {
  struct body {
    static task<> round(semaphore& two, int i, counted& c) {
      scope first;
      scope second;
      first.spawn(work(two, c, 2));
      for (int n = 0; n < 3; ++n) second.spawn(try_it(two));
      if (i % 2 == 0) co_await sleep(0ms);
      second.cancel();
      co_await second.join();
      co_await first.join();
    }
    static task<> try_it(semaphore& two) {
      const auto permit = co_await two.acquire();
      if (permit) static_cast<void>(co_await sleep(0ms));
    }
    static task<> check(counted& c) {
      semaphore two(2);
      for (int i = 0; i < 50; ++i) {
        co_await round(two, i, c);
        EXPECT_EQ(two.available(), 2U);
      }
    }
  };
  counted c;
  run(body::check(c));
  EXPECT_EQ(c.done, 100);
}

TEST_P(engine, a_mutex_is_held_by_one_over_its_awaits_and_over_threads) {
  struct body {
    static task<> add(mutex& m, int& sum, int times) {
      for (int i = 0; i < times; ++i) {
        const auto held = co_await m.lock();
        EXPECT_TRUE(held);
        const int before = sum;
        if (i % 10 == 0) {
          EXPECT_TRUE(co_await sleep(0ms));
        }
        sum = before + 1;
      }
    }
  };
  mutex m;
  int sum = 0;
  other_thread other([&] { another()->run(body::add(m, sum, 100)); });
  run(body::add(m, sum, 100));
  other.join();
  EXPECT_EQ(sum, 200);
  auto held = m.try_lock();
  EXPECT_TRUE(held);
  EXPECT_FALSE(m.try_lock());
  held.release();
}

// --- ticker ---

TEST_P(engine, a_ticker_ticks_at_multiples_of_its_period) {
  struct body {
    static task<> check() {
      const auto begun = iolite::now();
      ticker every(3ms);
      std::uint64_t ticks = 0;
      while (ticks < 10) {
        const auto passed = co_await every.next();
        EXPECT_TRUE(passed && *passed >= 1);
        if (!passed) co_return;
        ticks += *passed;
        const auto late = iolite::now() - begun;
        EXPECT_GE(late, ticks * 3ms) << "never early";
        if (is_simulated()) {
          EXPECT_LT(late, ticks * 3ms + 2ms) << "and no later than a sleep";
        }
        EXPECT_TRUE(co_await sleep(1ms)) << "what this takes moves no tick";
      }
    }
  };
  run(body::check());
}

TEST_P(engine, ticks_that_were_missed_are_one_and_are_counted) {
  struct body {
    static task<> check() {
      const auto begun = iolite::now();
      ticker every(2ms);
      EXPECT_EQ(every.period(), 2ms);
      EXPECT_TRUE(co_await sleep(11ms));
      const auto passed = co_await every.next();
      EXPECT_TRUE(passed && *passed >= 5);
      if (!passed) co_return;
      EXPECT_LE(begun + *passed * 2ms, iolite::now());
      const auto next = co_await every.next();
      EXPECT_TRUE(next && *next >= 1);
      EXPECT_GE(iolite::now(), begun + (*passed + *next) * 2ms) << "the others are where they were";
    }
  };
  run(body::check());
}

TEST_P(engine, a_ticker_that_is_cancelled_misses_nothing) {
  struct body {
    static task<> tick(ticker& every, outcome& out) {
      const auto r = co_await every.next();
      out.set(r);
    }
    static task<> check() {
      ticker every(20ms);
      const auto begun = iolite::now();
      outcome out;
      scope s;
      s.spawn(tick(every, out));
      s.cancel();
      co_await s.join();
      EXPECT_EQ(out.code, std::errc::operation_canceled);
      const auto passed = co_await every.next();
      EXPECT_TRUE(passed && *passed >= 1);
      if (is_simulated()) {
        EXPECT_LT(iolite::now() - begun, 30ms) << "the same tick";
      }
    }
  };
  run(body::check());
}

}  // namespace
}  // namespace iolite_test

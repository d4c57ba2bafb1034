// Blocking calls on helper threads: their values, exceptions, and the line they wait in.
#include "kernel/kernel.hpp"
#include "support/engine_test.hpp"

#include <atomic>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, offload_gives_what_the_call_returns) {
  struct body {
    static task<int> check() {
      const auto r = co_await offload([] { return 6 * 7; });
      co_return r.value_or(-1);
    }
  };
  EXPECT_EQ(run(body::check()), 42);
}

TEST_P(engine, offload_of_a_call_without_a_value) {
  struct body {
    static task<bool> check() {
      bool called = false;
      const auto r = co_await offload([&called] { called = true; });
      co_return r.has_value() && called;
    }
  };
  EXPECT_TRUE(run(body::check()));
}

TEST_P(engine, offload_of_a_call_whose_value_can_only_be_moved) {
  struct body {
    static task<int> check() {
      auto r = co_await offload([] { return std::make_unique<int>(7); });
      co_return r ? **r : -1;
    }
  };
  EXPECT_EQ(run(body::check()), 7);
}

TEST_P(engine, offload_throws_what_the_call_threw) {
  struct body {
    static task<std::string> check() {
      try {
        const auto r =
            co_await offload([]() -> int { throw std::runtime_error("from the helper"); });
        EXPECT_TRUE(r);
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  EXPECT_EQ(run(body::check()), "from the helper");
}

TEST_P(engine, offload_runs_elsewhere_unless_the_engine_blocks) {
  struct body {
    static task<int> check() {
      const auto r = co_await offload([] { return system_of_test().gettid(); });
      co_return r.value_or(-1);
    }
  };
  const int where = run(body::check());
  EXPECT_EQ(where == system_of_test().gettid(), traits().blocking);
}

TEST_P(engine, a_hundred_offloads_share_few_helpers) {
  struct state {
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<int> done = 0;
  };
  struct bodies {
    static task<> one(state& s) {
      const auto r = co_await offload([&s] {
        const int now = ++s.running;
        int most = s.most;
        while (now > most && !s.most.compare_exchange_weak(most, now)) {
        }
        system_of_test().sched_yield();
        --s.running;
      });
      if (r) ++s.done;
    }
    static task<> all(state& s) {
      scope children;
      for (int i = 0; i < 100; ++i) children.spawn(one(s));
      co_await children.join();
    }
  };
  state s;
  run(bodies::all(s));
  EXPECT_EQ(s.done, 100);
  if (!traits().blocking) {
    EXPECT_LE(s.most, static_cast<int>(offload_threads_max));
  }
}

// All helpers are held; the call behind them is cancelled in line and never runs.
TEST_P(engine, an_offload_in_line_can_be_cancelled) {
  if (traits().blocking) GTEST_SKIP() << "there is no line: the call runs where it stands";
  struct gate {
    counter inside;
    counter open;
    std::atomic<bool> ran = false;

    void pass() {
      inside.add_one();
      open.await(1);
    }
    void await_full() { inside.await(offload_threads_max); }
    void release() { open.add_one(); }
  };
  struct bodies {
    static task<> held(gate& g) {
      const auto r = co_await offload([&g] { g.pass(); });
      EXPECT_TRUE(r);
    }
    static task<> behind(gate& g, outcome& out) {
      const auto r = co_await offload([&g] { g.ran = true; });
      out.set(r);
    }
    static task<> all(gate& g, outcome& out) {
      scope holders;
      for (unsigned i = 0; i < offload_threads_max; ++i) holders.spawn(held(g));
      g.await_full();
      scope waiters;
      waiters.spawn(behind(g, out));
      co_await let_others_run();
      waiters.cancel();
      co_await waiters.join();
      g.release();
      co_await holders.join();
    }
  };
  gate g;
  outcome out;
  run(bodies::all(g, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  EXPECT_FALSE(g.ran);
}

// Calls that hold a helper each until they are released.
struct hanging_calls {
  counter inside;
  counter open;

  static task<> one(hanging_calls& all) {
    const auto r = co_await offload([&all] {
      all.inside.add_one();
      all.open.await(1);
    });
    EXPECT_TRUE(r);
  }
  task<> start(scope& in, unsigned how_many, unsigned altogether) {
    for (unsigned i = 0; i < how_many; ++i) in.spawn(one(*this));
    inside.await(altogether);
    co_return;
  }
};

// More than the pool starts of itself, and twice as many again: whoever comes behind is served.
TEST_P(engine, calls_that_hang_do_not_stop_the_others) {
  if (traits().blocking) GTEST_SKIP() << "each call has the thread of its task";
  struct bodies {
    static task<bool> one_more() {
      auto call = offload([] { return 7; });
      const auto r = co_await (call | within(10s));
      co_return r.value_or(0) == 7;
    }
    static task<> all(hanging_calls& hang) {
      scope s;
      co_await hang.start(s, offload_threads_max, offload_threads_max);
      bool served = co_await one_more();
      EXPECT_TRUE(served) << "it waits for those that hang";
      if (served) {
        co_await hang.start(s, offload_threads_max, 2 * offload_threads_max);
        served = co_await one_more();
        EXPECT_TRUE(served) << "twice as many hang";
      }
      hang.open.add_one();
      co_await s.join();
      served = co_await one_more();
      EXPECT_TRUE(served);
    }
  };
  hanging_calls hang;
  run(bodies::all(hang));
}

TEST_P(engine, helpers_that_replaced_hanging_ones_do_not_stay) {
  if (traits().blocking) GTEST_SKIP() << "each call has the thread of its task";
  struct state {
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
  };
  struct bodies {
    static task<> one(state& s) {
      const auto r = co_await offload([&s] {
        const int now = ++s.running;
        int most = s.most;
        while (now > most && !s.most.compare_exchange_weak(most, now)) {
        }
        for (int i = 0; i < 20; ++i) system_of_test().sched_yield();
        --s.running;
      });
      EXPECT_TRUE(r);
    }
    static task<> all(hanging_calls& hang, state& s) {
      scope held;
      co_await hang.start(held, offload_threads_max, offload_threads_max);
      co_await hang.start(held, offload_threads_max, 2 * offload_threads_max);
      hang.open.add_one();
      co_await held.join();
      scope many;
      for (int i = 0; i < 200; ++i) many.spawn(one(s));
      co_await many.join();
    }
  };
  hanging_calls hang;
  state s;
  run(bodies::all(hang, s));
  EXPECT_LE(s.most, static_cast<int>(offload_threads_max));
}

TEST_P(engine, the_loop_goes_on_while_a_call_is_offloaded) {
  if (traits().blocking) GTEST_SKIP() << "the call runs where it stands";
  struct bodies {
    static task<> slow(std::atomic<bool>& go, bool& done) {
      const auto r = co_await offload([&go] {
        while (!go) system_of_test().sched_yield();
      });
      done = r.has_value();
    }
    static task<> all(bool& done) {
      std::atomic<bool> go = false;
      scope s;
      s.spawn(slow(go, done));
      co_await iolite::sleep(1ms);  // would wait for ever if the call held the loop
      EXPECT_FALSE(done);
      go = true;
      co_await s.join();
    }
  };
  bool done = false;
  run(bodies::all(done));
  EXPECT_TRUE(done);
}

TEST_P(engine, offloads_from_two_engines_at_once) {
  struct bodies {
    static task<int> sum() {
      int total = 0;
      for (int i = 0; i < 300; ++i) {
        const auto r = co_await offload([i] { return i; });
        total += r.value_or(0);
      }
      co_return total;
    }
  };
  int there = 0;
  other_thread other([&] { there = another()->run(bodies::sum()); });
  const int here_sum = run(bodies::sum());
  other.join();
  EXPECT_EQ(here_sum, 300 * 299 / 2);
  EXPECT_EQ(there, here_sum);
}

}  // namespace
}  // namespace iolite_test

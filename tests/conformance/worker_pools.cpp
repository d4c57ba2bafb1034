// Threads of one's own for blocking calls: iolite/worker_pool.hpp.
#include "iolite/worker_pool.hpp"

#include "core/tasks/helper_pool.hpp"
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"
#include "support/eventually.hpp"

#include <atomic>
#include <filesystem>
#include <optional>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

// Holds calls until it is opened.
struct gate {
  counter inside;
  counter open;

  void pass() {
    inside.add_one();
    open.await(1);
  }
};

task<> held(worker_pool& pool, gate& g) {
  const auto r = co_await pool.run([&g] { g.pass(); });
  EXPECT_TRUE(r);
}

TEST_P(engine, a_worker_pool_gives_what_a_call_returns) {
  struct body {
    static task<> all() {
      worker_pool pool;
      const auto n = co_await pool.run([] { return 6 * 7; });
      EXPECT_EQ(n.value_or(-1), 42);
      bool called = false;
      const auto nothing = co_await pool.run([&called] { called = true; });
      EXPECT_TRUE(nothing && called);
      auto moved = co_await pool.run([] { return std::make_unique<int>(7); });
      EXPECT_TRUE(moved && **moved == 7);
    }
  };
  run(body::all());
}

TEST_P(engine, a_worker_pool_throws_what_a_call_threw) {
  struct body {
    static task<std::string> all() {
      worker_pool pool;
      try {
        const auto r =
            co_await pool.run([]() -> int { throw std::runtime_error("from a worker"); });
        EXPECT_TRUE(r);
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  EXPECT_EQ(run(body::all()), "from a worker");
}

TEST_P(engine, a_worker_pool_runs_calls_on_its_threads_and_no_more_than_that_at_a_time) {
  struct state {
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<int> here = 0;
    int own = system_of_test().gettid();
  };
  struct bodies {
    static task<> one(worker_pool& pool, state& s) {
      const auto r = co_await pool.run([&s] {
        const int now = ++s.running;
        int most = s.most;
        while (now > most && !s.most.compare_exchange_weak(most, now)) {
        }
        if (system_of_test().gettid() == s.own) ++s.here;
        system_of_test().sched_yield();
        --s.running;
      });
      EXPECT_TRUE(r);
    }
    static task<> all(state& s) {
      worker_pool pool({.threads = 2, .name = "pool of two"});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < 40; ++i) children.spawn(one(pool, s));
        co_return;
      });
    }
  };
  state s;
  run(bodies::all(s));
  EXPECT_LE(s.most, 2);
  EXPECT_EQ(s.here, 0) << "a call ran on the thread of the engine";
}

TEST_P(engine, a_full_worker_pool_refuses_a_call) {
  struct bodies {
    static task<> in_line(worker_pool& pool, counter& called) {
      bool ran = false;
      while (!ran) {  // on a thread of its own it may find the other one in line
        const auto r = co_await pool.run([&called] { called.add_one(); });
        ran = r.has_value();
        co_await let_others_run();
      }
    }
    static task<> all(gate& g, counter& called) {
      worker_pool pool({.threads = 1, .queue_max = 1});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(held(pool, g));
        g.inside.await(1);
        auto waits = children.spawn(in_line(pool, called));
        for (bool refused = false; !refused;) {
          bool ran = false;
          const auto r = co_await (pool.run([&ran] { ran = true; }) | within(1ms));
          EXPECT_FALSE(r);
          EXPECT_FALSE(ran);
          refused = !r && r.error() == std::errc::no_buffer_space;
          co_await let_others_run();
        }
        EXPECT_FALSE(waits.done());
        g.open.add_one();
      });
      called.await(1);
      const auto again = co_await pool.run([] { return 1; });
      EXPECT_TRUE(again) << "there is room again";
    }
  };
  gate g;
  counter called;
  run(bodies::all(g, called));
}

TEST_P(engine, a_worker_pool_without_a_line_takes_calls_while_a_thread_is_free) {
  struct bodies {
    static task<> all(gate& g) {
      worker_pool pool({.threads = 2, .queue_max = 0});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(held(pool, g));
        g.inside.await(1);
        const auto second = co_await pool.run([] { return 2; });
        EXPECT_EQ(second.value_or(0), 2);
        children.spawn(held(pool, g));
        g.inside.await(2);
        const auto third = co_await pool.run([] { return 3; });
        EXPECT_EQ(third ? std::error_code() : third.error(), std::errc::no_buffer_space);
        g.open.add_one();
      });
    }
  };
  gate g;
  run(bodies::all(g));
}

// On an event loop the call that hangs in a pool delays neither the loop nor the helpers of others.
TEST_P(engine, a_worker_pool_at_work_leaves_offload_alone) {
  struct bodies {
    static task<> all(gate& g) {
      worker_pool pool({.threads = offload_threads_max});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (unsigned i = 0; i < offload_threads_max; ++i) children.spawn(held(pool, g));
        g.inside.await(offload_threads_max);
        const auto n = co_await (offload([] { return 7; }) | within(10s));
        EXPECT_EQ(n.value_or(0), 7);
        g.open.add_one();
      });
    }
  };
  gate g;
  run(bodies::all(g));
}

TEST_P(engine, a_call_in_the_line_of_a_worker_pool_is_cancelled_and_one_that_runs_is_waited_for) {
  struct bodies {
    static task<> call(worker_pool& pool, outcome& out) {
      const auto r = co_await pool.run([] { ADD_FAILURE() << "it was cancelled before it began"; });
      out.set(r);
    }
    static task<> holds(worker_pool& pool, gate& g, outcome& out) {
      const auto r = co_await pool.run([&g] { g.pass(); });
      out.set(r);
    }
    static task<> all(gate& g, outcome& runs, outcome& in_line) {
      worker_pool pool({.threads = 1});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto first = children.spawn(holds(pool, g, runs));
        g.inside.await(1);
        auto second = children.spawn(call(pool, in_line));
        co_await let_others_run();
        second.cancel();
        co_await second;
        first.cancel();
        EXPECT_FALSE(first.done());
        g.open.add_one();
        co_await first;
      });
    }
  };
  gate g;
  outcome runs, in_line;
  run(bodies::all(g, runs, in_line));
  EXPECT_EQ(in_line.code, std::errc::operation_canceled);
  EXPECT_EQ(runs.times, 1);
  EXPECT_FALSE(runs.code) << "what a call gives is delivered";
}

TEST_P(engine, a_limit_ends_the_wait_for_a_worker) {
  struct bodies {
    static task<> all(gate& g) {
      worker_pool pool({.threads = 1});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(held(pool, g));
        g.inside.await(1);
        const auto r = co_await (pool.run([] { return 1; }) | within(5ms));
        EXPECT_EQ(r ? std::error_code() : r.error(), std::errc::timed_out);
        g.open.add_one();
      });
    }
  };
  gate g;
  run(bodies::all(g));
}

TEST_P(engine, a_worker_pool_serves_two_engines) {
  struct bodies {
    static task<int> sum(worker_pool& pool) {
      int total = 0;
      for (int i = 0; i < 200; ++i) {
        const auto r = co_await pool.run([i] { return i; });
        total += r.value_or(0);
      }
      co_return total;
    }
  };
  worker_pool pool({.threads = 3});
  int there = 0;
  other_thread other([&] { there = another()->run(bodies::sum(pool)); });
  const int here_sum = run(bodies::sum(pool));
  other.join();
  EXPECT_EQ(here_sum, 200 * 199 / 2);
  EXPECT_EQ(there, here_sum);
}

// RLIMIT_NPROC: pthread_create(3) fails with EAGAIN.
TEST_P(engine, a_thread_that_cannot_be_started_is_an_error_of_the_call) {
  struct body {
    static task<> all(detail::helper_pool& pool) {
      bool called = false;
      const auto call = [&called] { called = true; };
      const auto refused = co_await detail::offloaded(call, &pool);
      EXPECT_EQ(refused ? std::error_code() : refused.error(),
                std::errc::resource_unavailable_try_again);
      EXPECT_FALSE(called);
      const auto next = co_await detail::offloaded(call, &pool);
      EXPECT_TRUE(next && called) << "the next call tries again";
    }
  };
  faulty os(system_of_test(), {{.what = call::clone, .nth = 1, .error = EAGAIN}});
  detail::helper_pool pool(os, {.threads = 1, .limit = 1, .queue_max = 10}, true);
  run(body::all(pool));
  pool.end();
  EXPECT_EQ(os.injected(), 1U);
}

// With one thread at work, one that cannot be started is no failure.
TEST_P(engine, a_worker_pool_goes_on_with_the_threads_it_has) {
  struct bodies {
    static task<> call(detail::helper_pool& pool, int& sum) {
      const auto n = co_await detail::offloaded([] { return 1; }, &pool);
      sum += n.value_or(0);
    }
    static task<> all(detail::helper_pool& pool, int& sum) {
      for (int i = 0; i < 10; ++i) co_await call(pool, sum);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        if (iolite::engine::current()->traits().blocking) co_return;  // they share `sum`
        for (int i = 0; i < 10; ++i) children.spawn(call(pool, sum));
        co_return;
      });
    }
  };
  faulty os(system_of_test(),
            {{.what = call::clone, .nth = 2, .times = fault::for_ever, .error = EAGAIN}});
  detail::helper_pool pool(os, {.threads = 4, .limit = 4, .queue_max = 100}, true);
  int sum = 0;
  run(bodies::all(pool, sum));
  pool.end();
  EXPECT_EQ(sum, traits().blocking ? 10 : 20);
}

int threads_of_process() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

TEST_P(engine, the_threads_of_a_worker_pool_end_with_it) {
  if (is_simulated()) GTEST_SKIP() << "threads of the simulated world are none of the system's";
  struct body {
    static task<> all(gate& g) {
      worker_pool pool({.threads = 3});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < 3; ++i) children.spawn(held(pool, g));
        g.inside.await(3);
        g.open.add_one();
        co_return;
      });
    }
  };
  static_cast<void>(on());
  other_thread([] {}).join();  // with the first one a sanitizer may start a thread of its own
  const int before = threads_of_process();
  gate g;
  run(body::all(g));
  // One that was joined is seen there until the kernel has put it away.
  EXPECT_TRUE(eventually([&] { return threads_of_process() <= before; }));
}

}  // namespace
}  // namespace iolite_test

// Tasks and scopes: values, exceptions, children that are joined, and stacks that stay flat.
#include "support/engine_test.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

task<int> number(int n) { co_return n; }
task<int> throws(const char* what) {
  throw std::runtime_error(what);
  co_return 0;
}
task<> throws_after(const char* what, iolite::clock::duration after) {
  co_await iolite::sleep(after);
  throw std::runtime_error(what);
}

template <class F>
std::string what_of(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing thrown";
}

TEST_P(engine, run_gives_the_value_of_the_task) { EXPECT_EQ(run(number(42)), 42); }

TEST_P(engine, run_throws_what_the_task_threw) {
  EXPECT_EQ(what_of([&] { run(throws("out of run")); }), "out of run");
  EXPECT_EQ(run(number(1)), 1) << "the engine is good for more";
}

TEST_P(engine, run_many_times_in_a_row) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(run(number(i)), i);
}

TEST_P(engine, an_exception_crosses_tasks) {
  struct bodies {
    static task<int> middle() { co_return co_await throws("deep") + 1; }
    static task<std::string> outer() {
      try {
        co_await middle();
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  EXPECT_EQ(run(bodies::outer()), "deep");
}

TEST_P(engine, an_exception_after_a_wait_crosses_tasks) {
  struct bodies {
    static task<std::string> outer() {
      try {
        co_await throws_after("waited", 1ms);
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  EXPECT_EQ(run(bodies::outer()), "waited");
}

TEST_P(engine, join_throws_what_a_child_threw_once_all_have_ended) {
  struct bodies {
    static task<> slow(bool& ended) {
      co_await iolite::sleep(5ms);
      ended = true;
    }
    static task<> all(bool& ended) {
      scope s;
      s.spawn(throws_after("from a child", 0ms));
      s.spawn(slow(ended));
      co_await s.join();
    }
  };
  bool ended = false;
  EXPECT_EQ(what_of([&] { run(bodies::all(ended)); }), "from a child");
  EXPECT_TRUE(ended);
}

TEST_P(engine, join_throws_the_first_of_several) {
  struct bodies {
    static task<> all() {
      scope s;
      s.spawn(throws_after("second", 60ms));
      s.spawn(throws_after("first", 0ms));
      co_await s.join();
    }
  };
  EXPECT_EQ(what_of([&] { run(bodies::all()); }), "first");
}

TEST_P(engine, an_exception_does_not_cancel_the_siblings) {
  struct bodies {
    static task<> all(outcome& out) {
      scope s;
      s.spawn(throws_after("early", 0ms));
      s.spawn(sleeping(5ms, out));
      co_await s.join();
    }
  };
  outcome out;
  EXPECT_EQ(what_of([&] { run(bodies::all(out)); }), "early");
  EXPECT_EQ(out.times, 1);
  EXPECT_FALSE(out.code);
}

TEST_P(engine, join_of_a_scope_without_children_returns_at_once) {
  struct body {
    static task<> check() {
      scope s;
      co_await s.join();
      co_await s.join();
      EXPECT_EQ(s.live(), 0);
    }
  };
  run(body::check());
}

TEST_P(engine, a_scope_is_used_again_after_join) {
  struct bodies {
    static task<> add(std::atomic<int>& sum, int n) {
      co_await iolite::sleep(0ms);
      sum += n;
    }
    static task<int> all() {
      std::atomic<int> sum = 0;
      scope s;
      for (int i = 1; i <= 10; ++i) {
        s.spawn(add(sum, i));
        s.spawn(add(sum, i));
        co_await s.join();
      }
      co_return sum.load();
    }
  };
  EXPECT_EQ(run(bodies::all()), 110);
}

TEST_P(engine, children_spawn_children) {
  struct bodies {
    static task<> tree(std::atomic<int>& leaves, int depth) {
      if (depth == 0) {
        ++leaves;
        co_return;
      }
      scope s;
      s.spawn(tree(leaves, depth - 1));
      s.spawn(tree(leaves, depth - 1));
      co_await s.join();
    }
  };
  std::atomic<int> leaves = 0;
  run(bodies::tree(leaves, 6));
  EXPECT_EQ(leaves, 64);
}

TEST_P(engine, nested_scopes_are_cancelled_through_join) {
  struct bodies {
    static task<> nest(int depth, outcome& out) {
      scope s;
      if (depth == 0) s.spawn(sleeping(1h, out));
      else s.spawn(nest(depth - 1, out));
      co_await s.join();
    }
    static task<> all(outcome& out) {
      scope s;
      s.spawn(nest(5, out));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  outcome out;
  run(bodies::all(out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

// 3e5 awaits of tasks that end at once: symmetric transfer that becomes a call overflows the stack.
TEST_P(engine, a_long_loop_of_tasks_that_end_at_once_keeps_the_stack_flat) {
  struct body {
    static task<long> loop() {
      long sum = 0;
      for (int i = 0; i < 300'000; ++i) sum += co_await number(i);
      co_return sum;
    }
  };
  EXPECT_EQ(run(body::loop()), 300'000L * 299'999 / 2);
}

TEST_P(engine, a_long_loop_of_operations_that_end_at_once_keeps_the_stack_flat) {
  struct body {
    static task<int> loop(stream& s) {
      int count = 0;
      for (int i = 0; i < 300'000; ++i) {
        const auto r = co_await s.recv(std::span<std::byte>());
        if (r) ++count;
      }
      co_return count;
    }
  };
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(body::loop(pair.ours)), 300'000);
}

TEST_P(engine, a_long_loop_of_children_that_end_at_once_keeps_the_stack_flat) {
  if (traits().blocking) GTEST_SKIP() << "a hundred thousand children are as many threads there";
  struct bodies {
    static task<> child(int& count) {
      ++count;
      co_return;
    }
    static task<int> loop() {
      int count = 0;
      scope s;
      for (int i = 0; i < 100'000; ++i) s.spawn(child(count));
      co_await s.join();
      co_return count;
    }
  };
  EXPECT_EQ(run(bodies::loop()), 100'000);
}

TEST_P(engine, a_thousand_tasks_deep) {
  struct body {
    static task<int> deep(int n) {
      if (n == 0) {
        co_await iolite::sleep(0ms);
        co_return 0;
      }
      co_return co_await deep(n - 1) + 1;
    }
  };
  EXPECT_EQ(run(body::deep(1000)), 1000);
}

TEST_P(engine, the_context_is_inherited) {
  struct bodies {
    static task<context> inner() { co_return co_await here{}; }
    static task<> outer() {
      const context mine = co_await here{};
      const context its = co_await inner();
      EXPECT_EQ(mine.on, its.on);
      EXPECT_EQ(mine.in, its.in);
      EXPECT_EQ(mine.on, iolite::engine::current());
    }
  };
  run(bodies::outer());
  EXPECT_EQ(iolite::engine::current(), nullptr);
}

}  // namespace
}  // namespace iolite_test

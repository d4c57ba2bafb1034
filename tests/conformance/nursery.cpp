// in_scope(): whatever happens in the body, its children have ended when it returns.
#include "support/engine_test.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

template <class F>
std::string what_of(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing thrown";
}

task<> throws(const char* what) {
  throw std::runtime_error(what);
  co_return;
}
task<> throws_after(const char* what, iolite::clock::duration after) {
  co_await iolite::sleep(after);
  throw std::runtime_error(what);
}

TEST_P(engine, in_scope_returns_when_body_and_children_have_ended) {
  struct body {
    static task<> all(outcome& out) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(5ms, out));
        co_return;
      });
      EXPECT_EQ(out.times, 1);
    }
  };
  outcome out;
  run(body::all(out));
  EXPECT_FALSE(out.code) << "nobody has cancelled it";
}

TEST_P(engine, in_scope_gives_the_value_of_its_body) {
  struct body {
    static task<std::string> all(outcome& out) {
      auto text = co_await in_scope([&](iolite::scope& children) -> task<std::string> {
        children.spawn(sleeping(2ms, out));
        co_return "a value that does not fit in the string itself";
      });
      EXPECT_EQ(out.times, 1) << "the value waits for the children";
      co_return text;
    }
    static task<std::unique_ptr<int>> moved() {
      co_return co_await in_scope(
          [](iolite::scope&) -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
    }
  };
  outcome out;
  EXPECT_EQ(run(body::all(out)), "a value that does not fit in the string itself");
  EXPECT_EQ(*run(body::moved()), 7);
}

TEST_P(engine, in_scope_without_children_is_its_body) {
  struct body {
    static task<int> all() {
      co_return co_await in_scope([](iolite::scope&) -> task<int> { co_return 42; });
    }
  };
  EXPECT_EQ(run(body::all()), 42);
  EXPECT_EQ(run(in_scope([](iolite::scope&) -> task<int> { co_return 43; })), 43);
}

// The child would wait for an hour, and what it refers to ends with the body's caller.
TEST_P(engine, an_exception_between_spawn_and_join_cancels_and_joins_the_children) {
  struct body {
    static task<> all(outcome& out) {
      std::string message;
      try {
        co_await in_scope([&](iolite::scope& children) -> task<> {
          children.spawn(sleeping(1h, out));
          static_cast<void>(std::stoi("abc"));
          co_return;
        });
      } catch (const std::invalid_argument& e) {
        message = e.what();
      }
      EXPECT_EQ(message, "stoi");
      EXPECT_EQ(out.times, 1) << "joined before the exception goes on";
    }
  };
  outcome out;
  run(body::all(out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, an_exception_after_a_wait_of_the_body_cancels_the_children) {
  struct body {
    static task<> all(outcome& out) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, out));
        co_await throws_after("from the body", 1ms);
      });
    }
  };
  outcome out;
  EXPECT_EQ(what_of([&] { run(body::all(out)); }), "from the body");
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

// Not a coroutine: it spawns, then throws before there is a task.
TEST_P(engine, an_exception_of_a_body_that_is_no_coroutine_cancels_the_children) {
  struct body {
    static task<> all(outcome& out) {
      co_await in_scope([&](iolite::scope& children) {
        children.spawn(sleeping(1h, out));
        if (out.times == 0 || out.times == 1) throw std::runtime_error("no task");
        return throws("never called");
      });
    }
  };
  outcome out;
  EXPECT_EQ(what_of([&] { run(body::all(out)); }), "no task");
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, what_a_child_throws_comes_out_of_in_scope_once_all_have_ended) {
  struct body {
    static task<> all(outcome& sibling, outcome& own) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(throws("from a child"));
        children.spawn(sleeping(5ms, sibling));
        own.set(co_await iolite::sleep(5ms));
      });
    }
  };
  outcome sibling, own;
  EXPECT_EQ(what_of([&] { run(body::all(sibling, own)); }), "from a child");
  EXPECT_EQ(sibling.times, 1);
  EXPECT_FALSE(sibling.code) << "an exception of a child does not cancel the others";
  EXPECT_EQ(own.times, 1);
  EXPECT_FALSE(own.code) << "nor the body";
}

TEST_P(engine, what_the_body_throws_wins_over_what_a_child_throws) {
  struct bodies {
    static task<> when_cancelled() {
      const auto r = co_await iolite::sleep(1h);
      if (!r) throw std::runtime_error("cancelled child");
    }
    static task<> child_first(event& thrown) {
      thrown.set();
      throw std::runtime_error("early child");
      co_return;
    }
    static task<> all() {
      event thrown;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(child_first(thrown));
        children.spawn(when_cancelled());
        static_cast<void>(co_await thrown.wait());
        throw std::runtime_error("body");
      });
    }
  };
  EXPECT_EQ(what_of([&] { run(bodies::all()); }), "body");
}

TEST_P(engine, a_cancel_from_outside_reaches_the_body_and_the_children) {
  struct bodies {
    static task<> inner(outcome& own, outcome& child) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, child));
        own.set(co_await iolite::sleep(1h));
      });
    }
    static task<> all(outcome& own, outcome& child) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(inner(own, child));
        co_await let_others_run();
        children.cancel();
      });
    }
  };
  outcome own, child;
  run(bodies::all(own, child));
  EXPECT_EQ(own.code, std::errc::operation_canceled);
  EXPECT_EQ(child.code, std::errc::operation_canceled);
}

TEST_P(engine, a_nest_of_scopes_ends_from_the_inside_when_the_innermost_throws) {
  struct bodies {
    static task<> nest(int depth, std::vector<outcome>& outs) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, outs[static_cast<std::size_t>(depth)]));
        if (depth == 0) throw std::runtime_error("the bottom");
        co_await nest(depth - 1, outs);
      });
    }
  };
  std::vector<outcome> outs(5);
  EXPECT_EQ(what_of([&] { run(bodies::nest(4, outs)); }), "the bottom");
  for (const outcome& o : outs) EXPECT_EQ(o.code, std::errc::operation_canceled);
}

// join() in the body: phases. What is spawned afterwards is joined at the end.
TEST_P(engine, a_body_joins_its_children_in_phases) {
  struct body {
    static task<> all(std::vector<outcome>& outs) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1ms, outs[0]));
        co_await children.join();
        EXPECT_EQ(outs[0].times, 1);
        children.spawn(sleeping(1ms, outs[1]));
        auto unused = children.join();
        children.spawn(sleeping(1ms, outs[2]));
        static_cast<void>(unused);
      });
    }
  };
  std::vector<outcome> outs(3);
  run(body::all(outs));
  for (const outcome& o : outs) EXPECT_EQ(o.times, 1);
}

// How many there are: each copy and each end counts.
struct counted {
  explicit counted(std::atomic<int>& n) noexcept : living(&n) { ++*living; }
  counted(const counted& other) noexcept : living(other.living) { ++*living; }
  counted& operator=(const counted&) = delete;
  ~counted() { --*living; }
  std::atomic<int>* living;
};

TEST_P(engine, the_captures_of_a_body_live_until_it_has_ended) {
  struct body {
    static task<> all(std::atomic<int>& living) {
      const counted one(living);
      auto scoped = in_scope([one, text = std::string(100, 'x')](iolite::scope&) -> task<> {
        EXPECT_GE(*one.living, 2);
        co_await iolite::sleep(1ms);
        EXPECT_GE(*one.living, 2);
        EXPECT_EQ(text, std::string(100, 'x'));
      });
      co_await scoped;
    }
  };
  std::atomic<int> living = 0;
  run(body::all(living));
  EXPECT_EQ(living, 0);
}

TEST_P(engine, the_captures_of_a_spawned_lambda_live_until_its_child_has_ended) {
  struct body {
    static task<> all(std::atomic<int>& living, std::atomic<int>& ended) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < 3; ++i) {
          children.spawn([i, &ended, &living, one = counted(living),
                          text = std::string(100, static_cast<char>('0' + i))]() -> task<> {
            co_await iolite::sleep(1ms);
            EXPECT_GE(living.load(), 1);
            EXPECT_EQ(text, std::string(100, static_cast<char>('0' + i)));
            ++ended;
          });
        }
        co_return;
      });
    }
  };
  std::atomic<int> living = 0, ended = 0;
  run(body::all(living, ended));
  EXPECT_EQ(living, 0);
  EXPECT_EQ(ended, 3);
}

TEST_P(engine, a_child_starts_siblings) {
  struct bodies {
    static task<> chain(iolite::scope& children, int left, std::atomic<int>& ended) {
      co_await iolite::sleep(0ms);
      if (left > 0) children.spawn(chain(children, left - 1, ended));
      ++ended;
    }
    static task<> all(std::atomic<int>& ended) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < 3; ++i) children.spawn(chain(children, 9, ended));
        co_return;
      });
    }
  };
  std::atomic<int> ended = 0;
  run(bodies::all(ended));
  EXPECT_EQ(ended, 30);
}

TEST_P(engine, a_child_cancels_its_siblings) {
  struct bodies {
    static task<> cancels(iolite::scope& children) {
      co_await let_others_run();
      children.cancel();
    }
    static task<> all(outcome& out) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, out));
        children.spawn(cancels(children));
        co_return;
      });
    }
  };
  outcome out;
  run(bodies::all(out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

}  // namespace
}  // namespace iolite_test

// Handles of children: their values, cancelling one alone, and that dropping a handle changes
// nothing.
#include "support/engine_test.hpp"

#include <memory>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

task<std::string> text_after(event& e, std::string text) {
  const auto waited = co_await e.wait();
  co_return waited ? text : "cancelled";
}
task<std::unique_ptr<int>> number(int n) { co_return std::make_unique<int>(n); }
task<result<int>> number_after(event& e, int n) {
  const auto waited = co_await e.wait();
  if (!waited) co_return std::unexpected(waited.error());
  co_return n;
}
task<int> throws_after(event& e) {
  static_cast<void>(co_await e.wait());
  throw std::runtime_error("from a child");
}

TEST_P(engine, a_handle_gives_the_value_of_its_child) {
  struct body {
    static task<std::string> all() {
      event go;
      co_return co_await in_scope([&](iolite::scope& children) -> task<std::string> {
        auto later = children.spawn(text_after(go, "a value that does not fit in the string"));
        auto now = children.spawn(number(7));
        go.set();
        const std::string text = co_await later;
        const std::unique_ptr<int> n = co_await now;
        EXPECT_TRUE(later.done());
        EXPECT_TRUE(now.done());
        co_return text + " " + std::to_string(*n);
      });
    }
  };
  EXPECT_EQ(run(body::all()), "a value that does not fit in the string 7");
}

TEST_P(engine, a_handle_of_a_task_without_a_value_is_awaited_again_and_again) {
  struct body {
    static task<> all(outcome& out) {
      event go;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto child = children.spawn(waiting(go, out));
        EXPECT_FALSE(child.done());
        go.set();
        co_await child;
        EXPECT_TRUE(child.done());
        EXPECT_EQ(out.times, 1);
        co_await child;
      });
    }
  };
  outcome out;
  run(body::all(out));
  EXPECT_FALSE(out.code);
}

TEST_P(engine, a_lambda_that_is_spawned_gives_a_handle) {
  struct body {
    static task<int> all() {
      co_return co_await in_scope([](iolite::scope& children) -> task<int> {
        auto child = children.spawn([n = 41]() -> task<int> {
          co_await iolite::sleep(1ms);
          co_return n + 1;
        });
        co_return co_await child;
      });
    }
  };
  EXPECT_EQ(run(body::all()), 42);
}

TEST_P(engine, a_handle_cancels_its_child_alone) {
  struct body {
    static task<> all(outcome& sibling) {
      event go;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waiting(go, sibling));
        auto child = children.spawn(number_after(go, 1));
        co_await let_others_run();
        child.cancel();
        child.cancel();
        const auto n = co_await child;
        EXPECT_EQ(n ? std::error_code() : n.error(), std::errc::operation_canceled);
        child.cancel();
        EXPECT_FALSE(children.cancelled());
        go.set();
      });
    }
  };
  outcome sibling;
  run(body::all(sibling));
  EXPECT_EQ(sibling.times, 1);
  EXPECT_FALSE(sibling.code) << "the sibling was not cancelled";
}

// Also in a scope of its own, which the child waits for.
TEST_P(engine, a_handle_cancels_what_its_child_has_started) {
  struct bodies {
    static task<> nested(outcome& body, outcome& child) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, child));
        body.set(co_await iolite::sleep(1h));
      });
    }
    static task<> all(outcome& body, outcome& child) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto whole = children.spawn(nested(body, child));
        co_await let_others_run();
        whole.cancel();
        co_await whole;
        EXPECT_EQ(body.times, 1);
        EXPECT_EQ(child.times, 1);
      });
    }
  };
  outcome body, child;
  run(bodies::all(body, child));
  EXPECT_EQ(body.code, std::errc::operation_canceled);
  EXPECT_EQ(child.code, std::errc::operation_canceled);
}

TEST_P(engine, later_operations_of_a_cancelled_child_end_at_once) {
  struct bodies {
    static task<> twice(outcome& first, outcome& second) {
      first.set(co_await iolite::sleep(1h));
      second.set(co_await iolite::sleep(1h));
    }
    static task<> all(outcome& first, outcome& second) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(twice(first, second)).cancel();
        co_return;
      });
    }
  };
  outcome first, second;
  run(bodies::all(first, second));
  EXPECT_EQ(first.code, std::errc::operation_canceled);
  EXPECT_EQ(second.code, std::errc::operation_canceled);
}

TEST_P(engine, bytes_that_race_with_a_cancel_of_a_child_are_not_lost) {
  constexpr int rounds = 100;
  struct bodies {
    static task<> all(half_pair& pair, std::string& received) {
      for (int i = 0; i < rounds; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        co_await in_scope([&](iolite::scope& children) -> task<> {
          auto child = children.spawn(receive(pair.ours, 1));
          if (i % 2 == 0) pair.theirs.send_all({&byte, 1});
          child.cancel();
          if (i % 2 == 1) pair.theirs.send_all({&byte, 1});
          const auto got = co_await child;
          if (got) received += *got;
        });
        if (received.size() == static_cast<std::size_t>(i) + 1) continue;
        const auto next = co_await receive(pair.ours, 1);
        received += next.value_or("!");
      }
    }
  };
  half_pair pair = unix_half(on());
  std::string received;
  run(bodies::all(pair, received));
  std::string expected;
  for (int i = 0; i < rounds; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(received, expected);
}

TEST_P(engine, a_handle_that_is_dropped_changes_nothing) {
  struct bodies {
    static task<std::shared_ptr<int>> keeps(event& go, std::shared_ptr<int> value) {
      static_cast<void>(co_await go.wait());
      co_return value;
    }
    static task<> all(std::shared_ptr<int> value, outcome& out) {
      event go;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        {
          const auto dropped = children.spawn(waiting(go, out));
        }
        children.spawn(keeps(go, value));
        go.set();
        co_return;
      });
      EXPECT_EQ(out.times, 1) << "the scope has waited";
    }
  };
  outcome out;
  const auto value = std::make_shared<int>(1);
  run(bodies::all(value, out));
  EXPECT_FALSE(out.code);
  EXPECT_EQ(value.use_count(), 1) << "a value that nobody takes is gone with its child";
}

TEST_P(engine, a_handle_may_be_kept_beyond_its_scope) {
  struct body {
    static task<int> all() {
      std::vector<task_handle<std::unique_ptr<int>>> kept;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < 5; ++i) kept.push_back(children.spawn(number(i)));
        co_return;
      });
      int sum = 0;
      for (auto& one : kept) {
        EXPECT_TRUE(one.done());
        one.cancel();
        const auto n = co_await one;
        sum += *n;
      }
      co_return sum;
    }
  };
  EXPECT_EQ(run(body::all()), 10);
}

TEST_P(engine, what_a_child_throws_comes_out_of_its_handle_and_of_its_scope) {
  struct body {
    static task<std::string> all() {
      event go;
      std::string said;
      try {
        co_await in_scope([&](iolite::scope& children) -> task<> {
          auto child = children.spawn(throws_after(go));
          go.set();
          try {
            static_cast<void>(co_await child);
          } catch (const std::runtime_error& e) {
            said += e.what();
          }
          EXPECT_TRUE(child.done());
        });
      } catch (const std::runtime_error& e) {
        said += std::string(", ") + e.what();
      }
      co_return said;
    }
  };
  EXPECT_EQ(run(body::all()), "from a child, from a child");
}

// Cancelling the task that waits cancels the child too, and the wait lasts until it has ended.
TEST_P(engine, a_cancel_of_the_task_that_awaits_a_handle_cancels_the_child) {
  struct bodies {
    static task<> awaits(task_handle<result<int>>& child, outcome& out) {
      const auto n = co_await child;
      out.set(n);
    }
    static task<> all(outcome& out) {
      event never_set;
      co_await in_scope([&](iolite::scope& outer) -> task<> {
        auto child = outer.spawn(number_after(never_set, 1));
        co_await in_scope([&](iolite::scope& inner) -> task<> {
          inner.spawn(awaits(child, out));
          co_await let_others_run();
          inner.cancel();
        });
        EXPECT_TRUE(child.done());
        EXPECT_FALSE(outer.cancelled());
      });
    }
  };
  outcome out;
  run(bodies::all(out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, a_cancelled_task_that_begins_to_await_a_handle_cancels_the_child) {
  struct bodies {
    static task<> awaits(task_handle<result<int>>& child, outcome& sleep, outcome& out) {
      sleep.set(co_await iolite::sleep(1h));
      const auto n = co_await child;
      out.set(n);
    }
    static task<> all(outcome& sleep, outcome& out) {
      event never_set;
      co_await in_scope([&](iolite::scope& outer) -> task<> {
        auto child = outer.spawn(number_after(never_set, 1));
        co_await in_scope([&](iolite::scope& inner) -> task<> {
          inner.spawn(awaits(child, sleep, out)).cancel();
          co_return;
        });
      });
    }
  };
  outcome sleep, out;
  run(bodies::all(sleep, out));
  EXPECT_EQ(sleep.code, std::errc::operation_canceled);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, a_sibling_awaits_a_handle) {
  struct bodies {
    static task<> awaits(task_handle<std::string>& child, std::string& out) {
      out = co_await child;
    }
    static task<std::string> all() {
      event go;
      std::string out;
      co_await in_scope([&](iolite::scope& outer) -> task<> {
        auto child = outer.spawn(text_after(go, "passed on"));
        co_await in_scope([&](iolite::scope& inner) -> task<> {
          inner.spawn(awaits(child, out));
          co_await let_others_run();
          go.set();
        });
      });
      co_return out;
    }
  };
  EXPECT_EQ(run(bodies::all()), "passed on");
}

}  // namespace
}  // namespace iolite_test

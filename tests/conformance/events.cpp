// Events: set before, during and after a wait, also by another thread.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, an_event_set_before_the_wait_ends_it_at_once) {
  event e;
  e.set();
  EXPECT_TRUE(e.is_set());
  outcome out;
  run(waiting(e, out));
  run(waiting(e, out));
  EXPECT_EQ(out.times, 2);
  EXPECT_FALSE(out.code);
}

TEST_P(engine, an_event_wakes_all_who_wait) {
  struct bodies {
    static task<> all(std::vector<outcome>& out) {
      event e;
      scope s;
      for (outcome& o : out) s.spawn(waiting(e, o));
      co_await let_others_run();
      e.set();
      co_await s.join();
    }
  };
  std::vector<outcome> out(20);
  run(bodies::all(out));
  for (const outcome& o : out) {
    EXPECT_EQ(o.times, 1);
    EXPECT_FALSE(o.code);
  }
}

TEST_P(engine, an_event_is_set_from_another_thread) {
  for (int i = 0; i < 200; ++i) {
    event e;
    other_thread other([&e] { e.set(); });
    outcome out;
    run(waiting(e, out));
    other.join();
    EXPECT_FALSE(out.code);
  }
}

// Who waited has been told already, though he has not run yet: the cancel comes too late.
TEST_P(engine, a_cancel_after_an_event_was_set_elsewhere_changes_nothing) {
  if (traits().blocking) GTEST_SKIP() << "a task that has a thread may run at any time";
  struct bodies {
    static task<> all(event& e, outcome& out) {
      scope s;
      s.spawn(waiting(e, out));
      other_thread other([&e] { e.set(); });
      other.join();
      s.cancel();
      co_await s.join();
    }
  };
  event e;
  outcome out;
  run(bodies::all(e, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_FALSE(out.code) << out.code.message();
}

TEST_P(engine, an_event_that_was_reset_makes_waits_wait_again) {
  struct body {
    static task<> check() {
      event e;
      e.set();
      e.reset();
      EXPECT_FALSE(e.is_set());
      const auto r = co_await (e.wait() | within{2ms});
      EXPECT_FALSE(r);
      e.set();
      const auto again = co_await e.wait();
      EXPECT_TRUE(again);
    }
  };
  run(body::check());
}

TEST_P(engine, a_million_sets_of_an_event_nobody_waits_for_cost_nothing) {
  event e;
  for (int i = 0; i < 1'000'000; ++i) {
    e.set();
    e.reset();
  }
  e.set();
  outcome out;
  run(waiting(e, out));
  EXPECT_FALSE(out.code);
}

}  // namespace
}  // namespace iolite_test

// An engine that asks again for a while before it sleeps: engine::spin_before_sleeping().
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

#define EVENT_LOOPS_ONLY()                                                                         \
  if (traits().blocking) GTEST_SKIP() << "a waiting operation holds its thread: nothing to ask"

task<> sleep_times(int times, clock::duration each) {
  for (int i = 0; i < times; ++i) EXPECT_TRUE(co_await iolite::sleep(each));
}

TEST_P(engine, a_deadline_within_the_spin_is_met_without_sleeping) {
  EVENT_LOOPS_ONLY();
  on().spin_before_sleeping(1h);
  const auto begin = now();
  run(sleep_times(5, 200us));
  EXPECT_GE(now() - begin, 5 * 200us);
  EXPECT_GE(on().stats().spins, 5U);
  EXPECT_EQ(on().stats().spins_in_vain, 0U);
}

TEST_P(engine, who_hears_nothing_stops_spinning) {
  EVENT_LOOPS_ONLY();
  on().spin_before_sleeping(100us);
  run(sleep_times(30, 5ms));
  // Of thirty waits. Under the sanitizer some are late enough to look as if something had come.
  EXPECT_LE(on().stats().spins, thread_sanitizer ? 15U : 6U);
  EXPECT_GE(on().stats().spins_in_vain, 1U);
}

TEST_P(engine, what_comes_soon_again_makes_it_spin_again) {
  EVENT_LOOPS_ONLY();
  on().spin_before_sleeping(2ms);
  run(sleep_times(1, 50ms));
  ASSERT_GE(on().stats().spins_in_vain, 1U);
  const auto before = on().stats().spins;
  // A machine that is busy may wake it too late to count, but not always.
  struct body {
    static task<> until_it_spins(const engine_stats& s, std::uint64_t before) {
      for (int i = 0; i < 1000 && s.spins == before; ++i) co_await iolite::sleep(100us);
    }
  };
  run(body::until_it_spins(on().stats(), before));
  EXPECT_GT(on().stats().spins, before);
}

TEST_P(engine, an_engine_that_spins_answers_as_one_that_sleeps) {
  on().spin_before_sleeping(100us);
  half_pair pair = unix_half(on());
  struct body {
    static task<> check(half_pair& p) {
      for (int i = 0; i < 50; ++i) {
        EXPECT_FALSE(co_await receive_within(p.ours, 300us));
        p.theirs.send_all("x");
        const auto r = co_await receive(p.ours);
        EXPECT_EQ(r.value_or("error"), "x");
      }
    }
  };
  run(body::check(pair));
}

}  // namespace
}  // namespace iolite_test

// Exchanges measured on this machine: the shape of what comes out, never how long anything takes.
#include "iolite/trace.hpp"

#include "iolite/models.hpp"
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;
namespace t = iolite::trace;

constexpr t::options few{.delay = 3ms, .rounds = 3};

void expect_sound(const t::exchange& x, bool sees_switches) {
  EXPECT_GE(x.waited, few.delay);
  EXPECT_GE(x.uncertainty, 0ns);
  EXPECT_LE(x.t2, x.t4);
  if (x.t3) {
    EXPECT_LE(*x.t3, x.t4);
  }
  if (x.woke) {
    EXPECT_LE(*x.woke, x.t2);
    EXPECT_TRUE(x.slept);
  }
  EXPECT_GT(x.calls_phase1, 0U);
  EXPECT_TRUE(x.one_call || x.calls_phase2 > 0);
  if (x.slept && sees_switches) {
    EXPECT_NE(x.asleep_in, "");
    EXPECT_TRUE(x.woke.has_value());
  }
  EXPECT_FALSE(x.calls.empty());
}

std::vector<t::subject> measure(t::session& s, const std::vector<std::string>& names) {
  for (const std::string& name : names) EXPECT_TRUE(s.add(name).has_value()) << name;
  return s.measure();
}

TEST(trace_session, measures_every_engine_that_is_available) {
  t::session s(few);
  const auto names = engine_names(true);
  const auto seen = measure(s, names);
  ASSERT_EQ(seen.size(), names.size());
  for (const t::subject& one : seen) {
    SCOPED_TRACE(one.engine);
    EXPECT_EQ(one.failure, "");
    EXPECT_EQ(one.rounds.size(), few.rounds);
    for (const t::exchange& x : one.rounds) expect_sound(x, s.sees_switches());
    ASSERT_TRUE(one.others_run.has_value());
    const bool blocks = new_engine(one.engine)->traits().blocking;
    if (blocks) {
      EXPECT_EQ(*one.others_run, 0U);
    }
  }
}

TEST(trace_session, over_a_unix_socket_the_arrival_is_a_bracket) {
  t::options o = few;
  o.over_unix = true;
  t::session s(o);
  for (const t::subject& one : measure(s, {"blocking", "poll", "select"})) {
    SCOPED_TRACE(one.engine);
    EXPECT_EQ(one.rounds.size(), o.rounds);
    for (const t::exchange& x : one.rounds) {
      expect_sound(x, s.sees_switches());
      if (!s.is_exact()) {
        EXPECT_GT(x.uncertainty, 0ns);
      }
    }
  }
}

TEST(trace_session, without_perf_events_it_says_what_is_missing_and_invents_nothing) {
  faulty os(iolite::kernel::real(),
            {{.what = call::perf_event_open, .times = fault::for_ever, .error = EACCES}});
  t::session s(few, os);
  EXPECT_FALSE(s.sees_switches());
  EXPECT_FALSE(s.is_exact());
  ASSERT_FALSE(s.missing().empty());
  EXPECT_NE(s.missing().front().find("perf_event_paranoid"), std::string::npos);
  for (const t::subject& one : measure(s, {"blocking", "poll"})) {
    SCOPED_TRACE(one.engine);
    EXPECT_EQ(one.rounds.size(), few.rounds);
    for (const t::exchange& x : one.rounds) {
      expect_sound(x, false);
      EXPECT_FALSE(x.woke.has_value());
      EXPECT_EQ(x.t3.has_value(), !x.one_call);
    }
  }
}

TEST(trace_session, on_one_processor_it_measures_and_says_so) {
  faulty os(iolite::kernel::real(), {{.what = call::sched_getaffinity, .error = ENOSYS}});
  t::session s(few, os);
  EXPECT_FALSE(s.is_pinned());
  EXPECT_NE(s.missing().back().find("one processor"), std::string::npos);
  for (const t::subject& one : measure(s, {"poll"})) EXPECT_EQ(one.rounds.size(), few.rounds);
}

TEST(trace_session, an_engine_that_fails_half_way_keeps_its_rounds_and_stops_no_other) {
  faulty os(iolite::kernel::real(), {{.what = call::recv, .nth = 40, .error = ECONNRESET}});
  t::options o = few;
  o.rounds = 20;
  t::session s(o, os);
  const auto seen = measure(s, {"poll", "select"});
  EXPECT_EQ(std::ranges::count_if(seen, [](const auto& x) { return !x.failure.empty(); }), 1);
  EXPECT_EQ(std::ranges::count_if(seen, [&](const auto& x) { return x.rounds.size() == o.rounds; }),
            1);
  for (const t::subject& one : seen) EXPECT_FALSE(one.rounds.empty());
}

TEST(trace_session, stops_when_it_is_told_to) {
  const std::atomic<bool> stop = true;
  t::options o = few;
  o.stop = &stop;
  t::session s(o);
  const auto seen = measure(s, {"poll"});
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_TRUE(seen[0].rounds.empty());
  EXPECT_FALSE(seen[0].others_run.has_value());
}

TEST(trace_session, there_is_no_engine_of_an_unknown_name) {
  t::session s(few);
  EXPECT_FALSE(s.add("carrier_pigeon").has_value());
  EXPECT_TRUE(s.measure().empty());
}

TEST(trace_session, gives_back_its_descriptors_and_processors) {
  cpu_set_t before, after;
  ASSERT_EQ(iolite::kernel::real().sched_getaffinity(sizeof before, &before), 0);
  const int descriptors = open_descriptors();
  {
    t::session s(few);
    static_cast<void>(measure(s, {"epoll"}));
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  ASSERT_EQ(iolite::kernel::real().sched_getaffinity(sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

}  // namespace
}  // namespace iolite_test

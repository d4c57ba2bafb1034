// See explore.hpp.
#include "explore.hpp"

#include "machine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>

namespace interleavings {

outcome explore(const limits& within, const std::function<void()>& program) {
  machine& m = machine::it();
  m.replaying = false;
  m.forget_shared();
  outcome out;
  decisions order;
  for (std::uint64_t tried = 0; tried < within.executions_max; ++tried) {
    ++out.executions;
    const bool held = m.run(within, order, program);
    out.points_max = std::max(out.points_max, m.points());
    out.threads_max = std::max(out.threads_max, m.threads());
    if (!held) {
      out.failure = m.failure();
      out.schedule = order.to_string();
      return out;
    }
    if (m.learn_shared()) {  // more places count than were known: from the beginning
      order.clear();
      out.executions = 0;
    } else if (!order.advance()) {
      out.complete = true;
      return out;
    }
  }
  return out;
}

outcome replay(const std::string& schedule, const std::function<void()>& program) {
  machine& m = machine::it();
  m.replaying = true;
  decisions order = decisions::replaying(schedule);
  outcome out;
  out.executions = 1;
  constexpr int any = 1 << 30;
  if (!m.run({any, any, any, 1}, order, program)) out.failure = m.failure();
  out.threads_max = m.threads();
  out.schedule = schedule;
  out.trace = m.trace();
  m.replaying = false;
  return out;
}

void check(bool holds, const char* what) {
  if (holds) return;
  const machine::inside here;
  machine::it().fail(what);
}

namespace {

std::string test_name() {
  const auto* const t = testing::UnitTest::GetInstance()->current_test_info();
  return std::string(t->test_suite_name()) + "." + t->name();
}

std::string said(const outcome& o) {
  return o.failure + "\n" + o.trace + "to repeat it: IOLITE_SCHEDULE='" + o.schedule +
         "' interleavings --gtest_filter=" + test_name() + "\n";
}

}  // namespace

void expect_holds(const limits& within, const std::function<void()>& program) {
  if (const char* const schedule = std::getenv("IOLITE_SCHEDULE")) {
    const outcome o = replay(schedule, program);
    EXPECT_EQ(o.failure, "") << said(o);
    std::printf("%s", o.trace.c_str());
    return;
  }
  const outcome o = explore(within, program);
  if (!o.failure.empty()) {
    ADD_FAILURE() << "execution " << o.executions << ": " << o.failure << "\n"
                  << said(replay(o.schedule, program));
    return;
  }
  EXPECT_TRUE(o.complete) << "more than " << o.executions << " executions";
  std::printf("%llu executions of %d threads, at most %d preemptions at %llu points\n",
              static_cast<unsigned long long>(o.executions), o.threads_max, within.preemptions,
              static_cast<unsigned long long>(o.points_max));
}

void expect_found(const limits& within, const char* what, const std::function<void()>& program) {
  const outcome o = explore(within, program);
  ASSERT_NE(o.failure.find(what), std::string::npos)
      << (o.failure.empty() ? "nothing was found" : o.failure);
  const outcome again = replay(o.schedule, program);
  EXPECT_EQ(again.failure, o.failure) << "not the same in schedule " << o.schedule;
  std::printf("found in execution %llu, schedule %s: %s\n",
              static_cast<unsigned long long>(o.executions), o.schedule.c_str(), o.failure.c_str());
}

}  // namespace interleavings

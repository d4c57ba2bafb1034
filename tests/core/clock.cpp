// Which clock deadlines go by.
#include "kernel/kernel.hpp"

#include <ctime>
#include <gtest/gtest.h>

namespace {

iolite::clock::time_point monotonic() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return iolite::clock::time_point(std::chrono::seconds(t.tv_sec) +
                                   std::chrono::nanoseconds(t.tv_nsec));
}

// That of the calendar can be set, and then deadlines would come early, or never.
TEST(clock, nobody_can_set_it) {
  const auto before = monotonic();
  const auto now = iolite::kernel::real().now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, monotonic());
}

}  // namespace

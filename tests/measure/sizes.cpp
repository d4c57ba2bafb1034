// Sizes of messages: what is written is read, and drawn as often as it says.
#include "load/sizes.hpp"

#include <gtest/gtest.h>

#include <map>

namespace {

using iolite::app::message_sizes;
using iolite::app::random_source;

TEST(sizes, fixed) {
  const auto s = message_sizes::parse("16KiB");
  ASSERT_TRUE(s);
  EXPECT_TRUE(s->fixed());
  random_source chance(1);
  EXPECT_EQ(s->draw(chance), 16384U);
  EXPECT_EQ(s->longest(), 16384U);
  EXPECT_EQ(s->text(), "16KiB");
}

TEST(sizes, a_range_is_drawn_evenly_with_both_ends) {
  const auto s = message_sizes::parse("10..13");
  ASSERT_TRUE(s);
  EXPECT_FALSE(s->fixed());
  EXPECT_DOUBLE_EQ(s->mean(), 11.5);
  std::map<std::size_t, int> seen;
  random_source chance(1);
  for (int i = 0; i < 40'000; ++i) ++seen[s->draw(chance)];
  ASSERT_EQ(seen.size(), 4U);
  for (const auto& [size, times] : seen) EXPECT_NEAR(times, 10'000, 500) << size;
}

TEST(sizes, a_mixture_is_drawn_by_its_weights) {
  const auto s = message_sizes::parse("64:90,1KiB..2KiB:10");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->longest(), 2048U);
  EXPECT_DOUBLE_EQ(s->mean(), 0.9 * 64 + 0.1 * 1536);
  EXPECT_EQ(s->text(), "64:90,1KiB..2KiB:10");
  random_source chance(1);
  int small = 0;
  for (int i = 0; i < 10'000; ++i) small += s->draw(chance) == 64 ? 1 : 0;
  EXPECT_NEAR(small, 9000, 150);
}

TEST(sizes, what_is_no_size_is_refused_with_a_reason) {
  for (const char* const text : {"", "0", "64,", ",64", "64:", "64:0", "64:-1", "64..", "64..32",
                                 "..64", "64:1:1", "64:inf", "x", "64 "}) {
    const auto s = message_sizes::parse(text);
    ASSERT_FALSE(s) << text;
    EXPECT_FALSE(s.error().empty());
  }
}

}  // namespace

// Edge-triggered and one-shot, where the facility has them.
#include "tests/selector/each_facility.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ, write = IOLITE_WRITE, both = read | write;

TEST_P(each_facility, refuses_the_modes_it_has_not) {
  const auto e = unix_pair();
  const int edge = has(IOLITE_HAS_EDGE) ? 0 : -ENOTSUP;
  const int oneshot = has(IOLITE_HAS_ONESHOT) ? 0 : -ENOTSUP;
  EXPECT_EQ(add(e.a, read | IOLITE_EDGE), edge);
  EXPECT_EQ(remove(e.a), edge == 0 ? 0 : -ENOENT);
  EXPECT_EQ(add(e.a, read | IOLITE_ONESHOT), oneshot);
  EXPECT_EQ(remove(e.a), oneshot == 0 ? 0 : -ENOENT);
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(modify(e.a, read | IOLITE_EDGE), edge);
  EXPECT_EQ(modify(e.a, read | IOLITE_ONESHOT), oneshot);
}

TEST_P(each_facility, edge_reports_a_change_once) {
  if (!has(IOLITE_HAS_EDGE)) GTEST_SKIP() << GetParam() << " has no edge, and says so";
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read | IOLITE_EDGE), 0);
  for (int i = 0; i < 3; ++i) {
    put(e.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
    EXPECT_EQ(wait(0), ready_list{});
  }
  take(e.a);
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, edge_loses_nothing_when_there_is_little_room) {
  if (!has(IOLITE_HAS_EDGE)) GTEST_SKIP() << GetParam() << " has no edge, and says so";
  std::vector<ends> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(unix_pair());
    ASSERT_EQ(add(all.back().a, read | IOLITE_EDGE), 0);
    put(all.back().b);
  }
  ready_list seen;
  for (int i = 0; i < 10; ++i) {
    for (const ready& r : wait(for_ever, 1)) seen.push_back(r);
  }
  std::ranges::sort(seen);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(seen[i], (ready{all[i].a, read}));
  EXPECT_EQ(wait(0), ready_list{});
}

TEST_P(each_facility, oneshot_reports_once_until_modified) {
  if (!has(IOLITE_HAS_ONESHOT)) GTEST_SKIP() << GetParam() << " has no oneshot, and says so";
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, both | IOLITE_ONESHOT), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, write}}));
  put(e.b);
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(modify(e.a, both | IOLITE_ONESHOT), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, both}}));
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(modify(e.a, read), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, oneshot_that_did_not_fit_is_not_used_up) {
  if (!has(IOLITE_HAS_ONESHOT)) GTEST_SKIP() << GetParam() << " has no oneshot, and says so";
  const auto e = unix_pair(), f = unix_pair();
  for (const ends* one : {&e, &f}) {
    put(one->b);
    ASSERT_EQ(add(one->a, read | IOLITE_ONESHOT), 0);
  }
  const int first = wait(for_ever, 1).at(0).fd;
  const ends& other = first == e.a ? f : e;
  take(other.a);
  EXPECT_EQ(wait(0, 1), ready_list{});
  put(other.b);
  EXPECT_EQ(wait(for_ever, 1), (ready_list{{other.a, read}}));
  EXPECT_EQ(wait(0), ready_list{});
}

}  // namespace
}  // namespace selector_test

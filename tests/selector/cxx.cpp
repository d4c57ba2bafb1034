// The C++ front: data, keys, errors as std::error_code. What is reported is tested through C.
#include "iolite/selector.hpp"
#include "tests/selector/each_facility.hpp"

#include <cerrno>
#include <set>

namespace selector_test {
namespace {

using namespace std::chrono_literals;
using iolite::interest;
using iolite::selector;

selector<std::string> open(const std::string& name) {
  auto opened = selector<std::string>::open(name);
  if (!opened) throw std::system_error(opened.error());
  return std::move(*opened);
}

TEST_P(each_facility, hands_back_the_data_of_a_key) {
  auto s = open(GetParam());
  const auto e = unix_pair(), f = unix_pair();
  ASSERT_TRUE(s.add(e.a, interest::read, "first"));
  ASSERT_TRUE(s.add(f.a, interest::read, "second"));
  put(f.b);
  const auto keys = s.wait();
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 1U);
  EXPECT_EQ(keys->front().fd, f.a);
  EXPECT_EQ(keys->front().ready, interest::read);
  EXPECT_EQ(keys->front().data, "second");
  EXPECT_EQ(&keys->front().data, s.find(f.a));
  EXPECT_EQ(s.size(), 2U);
  const auto removed = s.remove(f.a);
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, "second");
  EXPECT_EQ(s.size(), 1U);
  EXPECT_EQ(s.find(f.a), nullptr);
}

TEST_P(each_facility, modify_keeps_the_data_or_replaces_it) {
  auto s = open(GetParam());
  const auto e = unix_pair();
  ASSERT_TRUE(s.add(e.a, interest::read, "first"));
  ASSERT_TRUE(s.modify(e.a, interest::write));
  EXPECT_EQ(*s.find(e.a), "first");
  EXPECT_EQ(s.wait()->front().ready, interest::write);
  ASSERT_TRUE(s.modify(e.a, interest::write, "second"));
  EXPECT_EQ(s.wait()->front().data, "second");
  EXPECT_EQ(s.modify(e.a, interest::none, "third").error(), std::errc::invalid_argument);
  EXPECT_EQ(*s.find(e.a), "second");
}

TEST_P(each_facility, errors_are_codes_and_change_nothing) {
  auto s = open(GetParam());
  const auto e = unix_pair();
  ASSERT_TRUE(s.add(e.a, interest::read, "first"));
  EXPECT_EQ(s.add(e.a, interest::read, "second").error(), std::errc::file_exists);
  EXPECT_EQ(*s.find(e.a), "first");
  EXPECT_EQ(s.add(-1, interest::read).error(), std::errc::bad_file_descriptor);
  EXPECT_EQ(s.remove(e.b).error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(s.modify(e.b, interest::read).error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(s.size(), 1U);
}

TEST_P(each_facility, keys_lists_everyone) {
  auto s = open(GetParam());
  std::vector<ends> all;
  std::set<int> watched, listed;
  for (int i = 0; i < 5; ++i) {
    all.push_back(unix_pair());
    watched.insert(all.back().a);
    ASSERT_TRUE(s.add(all.back().a, interest::both, std::to_string(all.back().a)));
  }
  for (const auto& key : s.keys()) {
    listed.insert(key.fd);
    EXPECT_EQ(key.wanted, interest::both);
    EXPECT_EQ(key.data, std::to_string(key.fd));
  }
  EXPECT_EQ(listed, watched);
}

TEST_P(each_facility, a_wait_without_timeout_ends_by_a_wake_and_one_below_zero_at_once) {
  auto s = open(GetParam());
  EXPECT_TRUE(s.wait(0s)->empty());
  EXPECT_TRUE(s.wait(-1s)->empty());
  EXPECT_TRUE(s.wait(iolite::clock::duration::min())->empty());
  const auto start = iolite::clock::now();
  EXPECT_TRUE(s.wait(3ms)->empty());
  EXPECT_GE(iolite::clock::now() - start, 3ms);
  s.wake();
  EXPECT_TRUE(s.wait()->empty());
  s.wake();
  EXPECT_TRUE(s.wait(iolite::clock::duration::max())->empty());
}

TEST_P(each_facility, moves_with_its_keys) {
  auto s = open(GetParam());
  const auto e = unix_pair();
  ASSERT_TRUE(s.add(e.a, interest::write, "data"));
  selector<std::string> t = std::move(s);
  EXPECT_EQ(t.wait()->front().data, "data");
  EXPECT_EQ(t.name(), GetParam());
  EXPECT_EQ(s.size(), 0U);  // NOLINT(bugprone-use-after-move): it says that nothing is left
  EXPECT_FALSE(s.wait(0s));
}

TEST_P(each_facility, traits_say_what_the_bits_say) {
  const auto s = open(GetParam());
  const auto t = s.traits();
  EXPECT_EQ(t.edge, has(IOLITE_HAS_EDGE));
  EXPECT_EQ(t.oneshot, has(IOLITE_HAS_ONESHOT));
  EXPECT_EQ(t.files, has(IOLITE_HAS_FILES));
  EXPECT_EQ(t.large_fds, has(IOLITE_HAS_LARGE_FDS));
  EXPECT_EQ(t.idle, has(IOLITE_HAS_IDLE));
  EXPECT_EQ(t.native_handle, s.native_handle().has_value());
}

TEST(selector_open, the_default_is_best_and_needs_no_data) {
  auto s = selector<>::best();
  ASSERT_TRUE(s);
  const auto e = unix_pair();
  ASSERT_TRUE(s->add(e.a, interest::write));
  EXPECT_EQ(s->wait()->size(), 1U);
  EXPECT_EQ(selector<>::open("nonsense").error(), std::errc::invalid_argument);
}

TEST(selector_open, data_may_be_movable_only) {
  auto s = selector<std::unique_ptr<int>>::open();
  ASSERT_TRUE(s);
  const auto e = unix_pair();
  ASSERT_TRUE(s->add(e.a, interest::write, std::make_unique<int>(42)));
  EXPECT_EQ(*s->wait()->front().data, 42);
  EXPECT_EQ(**s->remove(e.a), 42);
}

}  // namespace
}  // namespace selector_test

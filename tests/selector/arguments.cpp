// What each call takes and refuses, and that a refused call has changed nothing.
#include "tests/selector/each_facility.hpp"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ, write = IOLITE_WRITE, both = read | write;

TEST(selector_open, best_is_one_that_sleeps_and_gives_answers) {
  for (const char* name : {static_cast<const char*>(nullptr), "best"}) {
    iolite_selector* raw = nullptr;
    ASSERT_EQ(iolite_selector_open(name, &raw), 0);
    const selector_handle best(raw);
    const std::string chosen = iolite_selector_name(raw);
    EXPECT_TRUE(chosen == "kqueue" || chosen == "epoll" || chosen == "poll") << chosen;
    EXPECT_TRUE(iolite_selector_traits(raw) & IOLITE_HAS_IDLE);
  }
}

TEST(selector_open, an_unknown_facility_is_invalid_and_gives_null) {
  for (const char* name : {"", "nonsense", "Epoll", "epoll ", "epoll:1", "signal:", "signal:x",
                           "signal:1", "signal:1000", "signal:40x", "nonblocking:dance", ":"}) {
    auto* out = reinterpret_cast<iolite_selector*>(&errno);
    EXPECT_EQ(iolite_selector_open(name, &out), -EINVAL) << name;
    EXPECT_EQ(out, nullptr) << name;
  }
  EXPECT_EQ(iolite_selector_open("poll", nullptr), -EINVAL);
}

TEST(selector_open, what_this_system_lacks_is_not_supported_and_gives_null) {
  int lacking = 0;
  for (const auto& entry : iolite::all_pollers()) {
    if (entry.make) continue;
    ++lacking;
    auto* out = reinterpret_cast<iolite_selector*>(&errno);
    EXPECT_EQ(iolite_selector_open(std::string(entry.name).c_str(), &out), -ENOTSUP);
    EXPECT_EQ(out, nullptr);
  }
  if (lacking == 0) GTEST_SKIP() << "this system has everything";
}

TEST(selector_open, options_follow_a_colon) {
  for (const char* name :
       {"signal:40", "nonblocking:spin", "nonblocking:yield", "nonblocking:sleep"}) {
    iolite_selector* raw = nullptr;
    ASSERT_EQ(iolite_selector_open(name, &raw), 0) << name;
    const selector_handle s(raw);
    const auto e = unix_pair();
    ASSERT_EQ(iolite_selector_add(raw, e.a, read, nullptr), 0);
    put(e.b);
    iolite_ready out;
    EXPECT_EQ(iolite_selector_wait(raw, &out, 1, for_ever), 1) << name;
  }
}

TEST(selector_open, a_null_selector_is_invalid) {
  iolite_ready out;
  EXPECT_EQ(iolite_selector_add(nullptr, 0, read, nullptr), -EINVAL);
  EXPECT_EQ(iolite_selector_modify(nullptr, 0, read, nullptr), -EINVAL);
  EXPECT_EQ(iolite_selector_remove(nullptr, 0), -EINVAL);
  EXPECT_EQ(iolite_selector_wait(nullptr, &out, 1, 0), -EINVAL);
  EXPECT_EQ(iolite_selector_wake(nullptr), -EINVAL);
  EXPECT_EQ(iolite_selector_fd(nullptr), -EINVAL);
  EXPECT_EQ(iolite_selector_traits(nullptr), 0U);
  EXPECT_STREQ(iolite_selector_name(nullptr), "");
  iolite_selector_close(nullptr);
}

TEST_P(each_facility, says_its_name) { EXPECT_EQ(iolite_selector_name(it), GetParam()); }

TEST_P(each_facility, gives_back_every_descriptor_at_close) {
  const int before = open_descriptors();
  {
    const auto other = open_another();
    const auto e = unix_pair();
    ASSERT_EQ(iolite_selector_add(other.get(), e.a, read, nullptr), 0);
    wait_on(other.get(), 0);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(each_facility, refuses_a_descriptor_twice) {
  const auto e = unix_pair();
  EXPECT_EQ(add(e.a, read), 0);
  EXPECT_EQ(add(e.a, read), -EEXIST);
  EXPECT_EQ(add(e.a, write), -EEXIST);
  EXPECT_EQ(wait(0), ready_list{}) << "the refused interest has changed nothing";
}

TEST_P(each_facility, refuses_a_descriptor_that_is_not_open) {
  EXPECT_EQ(add(-1, read), -EBADF);
  EXPECT_EQ(add(INT_MIN, read), -EBADF);
  auto e = unix_pair();
  const int closed = e.a;
  e.a.close();
  EXPECT_EQ(add(closed, read), -EBADF);
  EXPECT_EQ(add(closed, both), -EBADF);
  EXPECT_EQ(remove(closed), -ENOENT);
  EXPECT_LT(add(INT_MAX, read), 0);
}

TEST_P(each_facility, refuses_no_events_and_unknown_events) {
  const auto e = unix_pair();
  for (const unsigned events : {0U, 4U, 8U, read | 4U, 1U << 31 | read, ~0U, 16U, 32U, 48U}) {
    EXPECT_EQ(add(e.a, events), -EINVAL) << events;
  }
  ASSERT_EQ(add(e.a, read), 0);
  for (const unsigned events : {0U, 4U, read | 64U, 32U}) {
    EXPECT_EQ(modify(e.a, events), -EINVAL) << events;
  }
  put(e.b);
  EXPECT_EQ(wait(0), (ready_list{{e.a, read}})) << "the refused interest has changed nothing";
}

TEST_P(each_facility, refuses_a_wait_with_no_room) {
  iolite_ready out;
  EXPECT_EQ(iolite_selector_wait(it, &out, 0, 0), -EINVAL);
  EXPECT_EQ(iolite_selector_wait(it, &out, -1, for_ever), -EINVAL);
  EXPECT_EQ(iolite_selector_wait(it, nullptr, 1, for_ever), -EINVAL);
}

TEST_P(each_facility, does_not_know_whom_it_does_not_watch) {
  const auto e = unix_pair();
  EXPECT_EQ(remove(e.a), -ENOENT);
  EXPECT_EQ(modify(e.a, read), -ENOENT);
  for (const int fd : {-1, INT_MIN, INT_MAX, 1 << 20}) {
    EXPECT_EQ(remove(fd), -ENOENT) << fd;
    EXPECT_EQ(modify(fd, read), -ENOENT) << fd;
  }
}

TEST_P(each_facility, forgets_whom_it_removed) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  put(e.b);
  EXPECT_EQ(remove(e.a), 0);
  EXPECT_EQ(remove(e.a), -ENOENT);
  EXPECT_EQ(modify(e.a, read), -ENOENT);
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, modify_replaces_the_events) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(modify(e.a, write), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, write}}));
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, write}})) << "not asked for reading";
  EXPECT_EQ(modify(e.a, both), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, both}}));
  EXPECT_EQ(modify(e.a, read), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, modify_replaces_the_data) {
  const auto e = unix_pair();
  int first = 1, second = 2;
  ASSERT_EQ(add(e.a, write, &first), 0);
  iolite_ready out;
  ASSERT_EQ(iolite_selector_wait(it, &out, 1, for_ever), 1);
  EXPECT_EQ(out.data, &first);
  EXPECT_EQ(modify(e.a, write, &second), 0);
  ASSERT_EQ(iolite_selector_wait(it, &out, 1, for_ever), 1);
  EXPECT_EQ(out.data, &second);
  EXPECT_EQ(modify(e.a, 0, &first), -EINVAL);
  ASSERT_EQ(iolite_selector_wait(it, &out, 1, for_ever), 1);
  EXPECT_EQ(out.data, &second) << "a refused modify has changed nothing";
}

TEST_P(each_facility, watches_regular_files_where_it_says_so) {
  const auto name = "iolite" + std::to_string(::getpid());
  const auto path = std::filesystem::temp_directory_path() / name;
  const owned file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  std::filesystem::remove(path);
  const owned folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!has(IOLITE_HAS_FILES)) {
    EXPECT_EQ(add(file, read), -EPERM);
    EXPECT_EQ(add(folder, read), -EPERM);
    EXPECT_EQ(remove(file), -ENOENT);
    return;
  }
  EXPECT_EQ(add(file, both), 0);
  EXPECT_EQ(add(folder, read), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(wait(for_ever), (ready_list{{file, both}, {folder, read}}));
  }
}

TEST_P(each_facility, watches_dev_null_where_it_watches_files) {
  const owned null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!has(IOLITE_HAS_FILES)) {
    EXPECT_EQ(add(null, read), -EPERM);
    return;
  }
  EXPECT_EQ(add(null, both), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{null, both}}));
}

TEST_P(each_facility, gives_a_descriptor_to_nest_where_it_says_so) {
  const int fd = iolite_selector_fd(it);
  if (!has(IOLITE_HAS_FD)) {
    EXPECT_EQ(fd, -ENOTSUP);
    return;
  }
  const auto outer = open_another();
  ASSERT_EQ(iolite_selector_add(outer.get(), fd, read, nullptr), 0);
  EXPECT_EQ(wait_on(outer.get(), 0), ready_list{});
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  put(e.b);
  EXPECT_EQ(wait_on(outer.get(), for_ever), (ready_list{{fd, read}}));
  EXPECT_EQ(wait(0), (ready_list{{e.a, read}}));
  take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(wait_on(outer.get(), 0), ready_list{});
  iolite_selector_wake(it);
  EXPECT_EQ(wait_on(outer.get(), for_ever), (ready_list{{fd, read}}));
}

}  // namespace
}  // namespace selector_test

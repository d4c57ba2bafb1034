// Descriptors that are closed behind the selector's back, and numbers that are used again.
#include "tests/selector/each_facility.hpp"

#include "kernel/calls.hpp"

#include <cerrno>
#include <fcntl.h>
#include <numeric>
#include <sys/socket.h>
#include <unistd.h>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ, write = IOLITE_WRITE, both = read | write;

std::uint64_t calls_so_far() {
  const auto counts = iolite::calls_of_thread();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

TEST_P(each_facility, removes_after_close) {
  auto e = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  const int fd = e.a;
  e.a.close();
  EXPECT_EQ(remove(fd), 0);
  EXPECT_EQ(remove(fd), -ENOENT);
  EXPECT_EQ(wait(0), ready_list{});
}

TEST_P(each_facility, removes_after_close_and_use_of_the_number_again) {
  auto e = unix_pair();
  const auto f = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  const int fd = e.a;
  ASSERT_EQ(::dup2(f.a, fd), fd);
  EXPECT_EQ(remove(fd), 0);
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(add(fd, write), 0) << "the new file is watched like any other";
  EXPECT_EQ(wait(for_ever), (ready_list{{fd, write}}));
}

// Neither reported, nor a busy loop, nor a failure; and the others are seen.
TEST_P(each_facility, one_closed_without_remove_does_no_harm) {
  for (const unsigned events : {read, write, both}) {
    auto e = unix_pair();
    const auto f = unix_pair();
    ASSERT_EQ(add(e.a, events), 0);
    ASSERT_EQ(add(f.a, read), 0);
    wait(0);
    const int fd = e.a;
    put(e.b);
    e.a.close();
    EXPECT_EQ(wait(0), ready_list{});
    const auto before = calls_so_far();
    EXPECT_EQ(wait(60 * ms), ready_list{});
    if (has(IOLITE_HAS_IDLE)) {
      EXPECT_LE(calls_so_far() - before, 20U);
    }
    put(f.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{f.a, read}}));
    EXPECT_EQ(add(fd, read), -EEXIST);
    EXPECT_EQ(modify(fd, events == read ? write : read), -EBADF);
    EXPECT_EQ(remove(fd), 0);
    EXPECT_EQ(add(fd, read), -EBADF);
    EXPECT_EQ(remove(f.a), 0);
  }
}

// As above, but the file lives on: in epoll(7)'s list it cannot be reached any more.
TEST_P(each_facility, one_closed_without_remove_whose_file_lives_on_does_no_harm) {
  for (const bool look_between : {true, false}) {
    auto e = unix_pair();
    const auto f = unix_pair();
    ASSERT_EQ(add(e.a, both), 0);
    ASSERT_EQ(add(f.a, read), 0);
    put(e.b);
    const owned twin(::fcntl(e.a, F_DUPFD_CLOEXEC, 0));
    if (look_between) {
      EXPECT_EQ(wait(for_ever), (ready_list{{e.a, both}}));
    }
    const int fd = e.a;
    e.a.close();
    EXPECT_EQ(wait(0), ready_list{});
    const auto before = calls_so_far();
    EXPECT_EQ(wait(60 * ms), ready_list{});
    if (has(IOLITE_HAS_IDLE)) {
      EXPECT_LE(calls_so_far() - before, 40U);
    }
    put(f.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{f.a, read}}));
    EXPECT_EQ(add(fd, read), -EEXIST);
    EXPECT_EQ(remove(fd), 0);
    EXPECT_EQ(remove(f.a), 0);
  }
}

TEST_P(each_facility, one_removed_after_close_whose_file_lives_on_does_no_harm) {
  auto e = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  const owned twin(::fcntl(e.a, F_DUPFD_CLOEXEC, 0));
  const int fd = e.a;
  e.a.close();
  ASSERT_EQ(remove(fd), 0);
  EXPECT_EQ(wait(0), ready_list{});
  const auto before = calls_so_far();
  EXPECT_EQ(wait(60 * ms), ready_list{});
  if (has(IOLITE_HAS_IDLE)) {
    EXPECT_LE(calls_so_far() - before, 40U);
  }
  const auto f = unix_pair();
  ASSERT_EQ(::dup2(f.a, fd), fd);
  const owned again(fd);
  ASSERT_EQ(add(fd, read), 0);
  EXPECT_EQ(wait(0), ready_list{}) << "the old file is writable, the new one is asked to read";
  put(f.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{fd, read}}));
}

TEST_P(each_facility, a_closed_number_used_again_is_not_seen_for_the_old_registration) {
  auto e = unix_pair();
  const auto f = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  wait(0);
  const int fd = e.a;
  e.a.close();
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(::dup2(f.a, fd), fd);
  const owned again(fd);
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(add(fd, read), -EEXIST);
  EXPECT_EQ(remove(fd), 0);
  EXPECT_EQ(add(fd, write), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{fd, write}}));
}

// Two were ready, one was reported; meanwhile the other's number has become another file's.
TEST_P(each_facility, one_who_did_not_fit_is_not_taken_for_its_successor) {
  auto e = unix_pair(), f = unix_pair();
  put(e.b), put(f.b);
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(add(f.a, read), 0);
  const int first = wait(for_ever, 1).at(0).fd;
  ends& other = first == e.a ? f : e;
  const int fd = other.a;
  ASSERT_EQ(remove(fd), 0);
  ASSERT_EQ(remove(first), 0);
  const auto g = unix_pair();
  ASSERT_EQ(::dup2(g.a, fd), fd);
  ASSERT_EQ(add(fd, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  put(g.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{fd, read}}));
}

TEST_P(each_facility, closed_then_removed_between_two_waits_with_little_room) {
  std::vector<ends> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(unix_pair());
    put(all.back().b);
    ASSERT_EQ(add(all.back().a, read), 0);
  }
  for (std::size_t left = all.size(); left > 0; --left) {
    const int fd = wait(for_ever, 1).at(0).fd;
    EXPECT_EQ(remove(fd), 0);
    for (ends& e : all) {
      if (e.a == fd) e.a.close();
    }
  }
  EXPECT_EQ(wait(0), ready_list{});
}

}  // namespace
}  // namespace selector_test

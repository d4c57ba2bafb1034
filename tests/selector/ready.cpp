// Who is reported: all that are ready, only they, and each with what was asked for.
#include "tests/selector/each_facility.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <set>
#include <sys/select.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ, write = IOLITE_WRITE, both = read | write;

TEST_P(each_facility, tells_readable_from_writable) {
  const auto e = unix_pair(), f = unix_pair();
  ASSERT_EQ(add(e.a, both), 0);
  ASSERT_EQ(add(f.a, read), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, write}}));
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, both}}));
  fill(e.a);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
  take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  put(f.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{f.a, read}}));
}

TEST_P(each_facility, reports_a_state_for_as_long_as_it_lasts) {
  for (const auto& e : {tcp_pair(), unix_pair(), pipe_pair()}) {
    ASSERT_EQ(add(e.a, read), 0);
    for (int round = 0; round < 3; ++round) {
      put(e.b, "ab");
      for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
      char one;
      ASSERT_EQ(::read(e.a, &one, 1), 1);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
      take(e.a);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(0), ready_list{});
    }
    ASSERT_EQ(remove(e.a), 0);
  }
}

TEST_P(each_facility, sees_what_came_before_it_was_asked_to_watch) {
  const auto e = unix_pair();
  put(e.b);
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, sees_that_a_full_buffer_has_room_again) {
  for (int kind = 0; kind < 3; ++kind) {
    const auto e = kind == 0 ? tcp_pair() : kind == 1 ? unix_pair() : pipe_pair();
    fill(e.b);
    ASSERT_EQ(add(e.b, write), 0);
    EXPECT_EQ(wait(0), ready_list{}) << kind;
    while (!take(e.a).empty()) {
    }
    EXPECT_EQ(wait(for_ever), (ready_list{{e.b, write}})) << kind;
    ASSERT_EQ(remove(e.b), 0);
  }
}

// Who nests it in another loop waits until it gives less than there is room for.
TEST_P(each_facility, less_than_there_is_room_for_means_that_nobody_else_is_ready) {
  const auto one = unix_pair(), other = unix_pair(), silent = unix_pair();
  ASSERT_EQ(add(one.a, write), 0);
  ASSERT_EQ(add(other.a, write), 0);
  ASSERT_EQ(add(silent.a, read), 0);
  const ready_list ready_ones = one.a < other.a ? ready_list{{one.a, write}, {other.a, write}}
                                                : ready_list{{other.a, write}, {one.a, write}};
  for (int before = 0; before < 8; ++before) {
    for (int i = 0; i < before; ++i) EXPECT_EQ(wait(0, 1).size(), 1U);
    EXPECT_EQ(wait(0, 2), ready_ones) << "after " << before << " of one each";
    EXPECT_EQ(wait(0, 3), ready_ones) << "after " << before << " of one each";
  }
}

TEST_P(each_facility, sees_descriptors_that_are_not_sockets) {
  const owned event = event_fd();
  ASSERT_EQ(add(event, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(event, &one, 8), 8);
  EXPECT_EQ(wait(for_ever), (ready_list{{event, read}}));
}

TEST_P(each_facility, watches_both_ends_of_a_pipe) {
  const auto e = pipe_pair();
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(add(e.b, write), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.b, write}}));
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}, {e.b, write}}));
}

TEST_P(each_facility, watches_two_numbers_of_one_file) {
  const auto e = unix_pair();
  const owned twin(::fcntl(e.a, F_DUPFD_CLOEXEC, 0));
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(add(twin, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}, {twin, read}}));
  take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(remove(e.a), 0);
  EXPECT_EQ(wait(0), ready_list{});
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{twin, read}}));
}

TEST_P(each_facility, a_hang_up_is_every_event_asked_for) {
  for (const unsigned events : {read, write, both}) {
    auto e = unix_pair();
    ASSERT_EQ(add(e.a, events), 0);
    wait(0);
    e.b.close();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, events}}));
    ASSERT_EQ(remove(e.a), 0);
  }
}

// The peer is gone, with what it had sent unread and our buffer full.
TEST_P(each_facility, a_hang_up_with_data_is_seen_by_a_writer) {
  auto e = unix_pair();
  put(e.b);
  fill(e.a);
  ASSERT_EQ(add(e.a, write), 0);
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(wait(1 * ms), ready_list{});
  e.b.close();
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, write}}));
}

// A terminal's master end whose slave is gone is hung up and nothing else: not readable, not
// writable, not in error. select(2) shows that to readers only.
TEST_P(each_facility, a_hang_up_that_is_nothing_else_is_seen_by_a_writer) {
  for (const bool readable : {false, true}) {
    const owned master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
    if (master < 0) GTEST_SKIP() << "no pseudo-terminals here";
    ::grantpt(master);
    ::unlockpt(master);
    owned slave(::open(::ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_GE(slave, 0);
    termios raw{};
    ::tcgetattr(slave, &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(slave, TCSANOW, &raw);
    fill(master);
    if (readable) put(slave);
    ASSERT_EQ(add(master, write), 0);
    wait(0);
    wait(1 * ms);
    slave.close();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{master, write}}));
    ASSERT_EQ(remove(master), 0);
  }
}

TEST_P(each_facility, a_closed_pipe_is_seen_from_both_ends) {
  auto e = pipe_pair(), f = pipe_pair();
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  e.b.close();
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
  ASSERT_EQ(remove(e.a), 0);
  fill(f.b);
  ASSERT_EQ(add(f.b, write), 0);
  EXPECT_EQ(wait(0), ready_list{});
  f.a.close();
  EXPECT_EQ(wait(for_ever), (ready_list{{f.b, write}}));
}

TEST_P(each_facility, a_reset_is_every_event_asked_for) {
  for (const unsigned events : {read, write, both}) {
    auto e = tcp_pair();
    fill(e.a);
    ASSERT_EQ(add(e.a, events), 0);
    EXPECT_EQ(wait(0), ready_list{});
    reset(e.b);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, events}}));
    ASSERT_EQ(remove(e.a), 0);
  }
}

TEST_P(each_facility, a_half_close_is_readable_and_no_more) {
  for (int kind = 0; kind < 2; ++kind) {
    const auto e = kind == 0 ? tcp_pair() : unix_pair();
    fill(e.a);
    ASSERT_EQ(add(e.a, both), 0);
    EXPECT_EQ(wait(0), ready_list{});
    ASSERT_EQ(::shutdown(e.b, SHUT_WR), 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
    ASSERT_EQ(modify(e.a, write), 0);
    EXPECT_EQ(wait(0), ready_list{});
    ASSERT_EQ(remove(e.a), 0);
  }
}

TEST_P(each_facility, nobody_starves_when_there_is_little_room) {
  constexpr int count = 20;
  std::vector<ends> all;
  for (int i = 0; i < count; ++i) {
    all.push_back(unix_pair());
    put(all.back().b);
    ASSERT_EQ(add(all.back().a, read), 0);
  }
  for (const int max : {1, 3, 7, count - 1}) {
    std::map<int, int> seen;
    const int rounds = 3 * count;
    int total = 0;
    for (int i = 0; i < rounds; ++i) {
      for (const ready& r : wait(for_ever, max)) ++seen[r.fd], ++total;
    }
    EXPECT_EQ(static_cast<int>(seen.size()), count) << max;
    const auto [least, most] =
        std::ranges::minmax_element(seen, {}, [](const auto& one) { return one.second; });
    EXPECT_LE(most->second - least->second, 2 + most->second / 2) << max;
    EXPECT_GE(total, rounds) << max;
  }
}

TEST_P(each_facility, one_who_did_not_fit_and_is_ready_no_more_is_not_reported) {
  std::vector<ends> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(unix_pair());
    put(all.back().b);
    ASSERT_EQ(add(all.back().a, read), 0);
  }
  ASSERT_EQ(wait(for_ever, 1).size(), 1U);
  for (const ends& e : all) take(e.a);
  EXPECT_EQ(wait(0, 1), ready_list{});
  put(all[5].b);
  EXPECT_EQ(wait(0, 1), (ready_list{{all[5].a, read}}));
}

TEST_P(each_facility, watches_many_descriptors) {
  constexpr int count = 1500;
  if (!allow_descriptors(2 * count + 100)) GTEST_SKIP() << "RLIMIT_NOFILE is too low";
  const bool large = has(IOLITE_HAS_LARGE_FDS);
  std::vector<ends> all;
  std::set<int> watched;
  for (int i = 0; i < count; ++i) {
    all.push_back(unix_pair());
    const int fd = all.back().a;
    const int r = add(fd, read);
    if (!large && fd >= FD_SETSIZE) {
      EXPECT_EQ(r, -EINVAL) << fd;
      EXPECT_EQ(remove(fd), -ENOENT);
      continue;
    }
    ASSERT_EQ(r, 0) << fd;
    watched.insert(fd);
  }
  EXPECT_EQ(wait(0), ready_list{});
  for (const ends& e : all) put(e.b);
  std::set<int> seen;
  for (int i = 0; i < 20 && seen.size() < watched.size(); ++i) {
    for (const ready& r : wait(for_ever)) seen.insert(r.fd);
  }
  EXPECT_EQ(seen, watched);
  for (const ends& e : all) take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  put(all.front().b);
  EXPECT_EQ(wait(for_ever), (ready_list{{all.front().a, read}}));
  for (const int fd : watched) ASSERT_EQ(remove(fd), 0);
}

TEST_P(each_facility, large_numbers_work_or_are_refused) {
  if (!allow_descriptors(1200)) GTEST_SKIP() << "RLIMIT_NOFILE is too low";
  const auto e = unix_pair();
  for (const int number : {FD_SETSIZE - 1, FD_SETSIZE, FD_SETSIZE + 63, 1100}) {
    const owned fd(::fcntl(e.a, F_DUPFD_CLOEXEC, number));
    ASSERT_EQ(fd, number);
    if (number >= FD_SETSIZE && !has(IOLITE_HAS_LARGE_FDS)) {
      EXPECT_EQ(add(fd, write), -EINVAL);
      EXPECT_EQ(wait(0), ready_list{});
      continue;
    }
    EXPECT_EQ(add(fd, write), 0);
    EXPECT_EQ(wait(for_ever), (ready_list{{number, write}}));
    EXPECT_EQ(remove(fd), 0);
  }
}

}  // namespace
}  // namespace selector_test

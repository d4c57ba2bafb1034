// Descriptors of which a facility is not told everything: signals that are not sent or are wrong,
// hang-ups that select(2) does not know. tests/differential/selectors.cpp tries every kind.
#include "tests/selector/each_facility.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ, write = IOLITE_WRITE, both = read | write;

ends terminal() {
  ends e;
  e.a = owned(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  char name[64];
  if (e.a < 0 || ::grantpt(e.a) < 0 || ::unlockpt(e.a) < 0) return e;
  if (::ptsname_r(e.a, name, sizeof name) != 0) return e;
  e.b = owned(::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  termios raw{};
  ::tcgetattr(e.b, &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(e.b, TCSANOW, &raw);
  return e;
}

// The kernel tells the writer POLL_OUT when the reader closes: fs/pipe.c.
TEST_P(each_facility, a_writing_end_that_is_watched_for_reading_sees_the_hang_up) {
  for (const unsigned events : {read, write, both}) {
    auto e = pipe_pair();
    fill(e.b);
    ASSERT_EQ(add(e.b, events), 0);
    EXPECT_EQ(wait(0), ready_list{});
    e.a.close();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{e.b, events}}));
    ASSERT_EQ(remove(e.b), 0);
  }
}

// An eventfd sends no signals. While it is ready the others are, too.
TEST_P(each_facility, one_that_stays_ready_hides_no_other) {
  const owned event = event_fd();
  const auto e = tcp_pair(), f = pipe_pair();
  ASSERT_EQ(add(event, write), 0);
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(add(f.a, read), 0);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(wait(for_ever), (ready_list{{event, write}}));
    put(e.b), put(f.b);
    EXPECT_EQ(wait(for_ever).size(), 3U);
    EXPECT_EQ(wait(0).size(), 3U);
    take(e.a), take(f.a);
  }
}

// To ask a terminal that is hung up for signals is ENOTTY.
TEST_P(each_facility, a_terminal_that_is_hung_up_is_ready_and_harms_no_other) {
  ends tty = terminal();
  if (tty.b < 0) GTEST_SKIP() << "no pseudo-terminals here";
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  tty.a.close();  // the master
  ASSERT_EQ(add(tty.b, read), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(for_ever), (ready_list{{tty.b, read}}));
  put(e.b);
  EXPECT_EQ(wait(for_ever).size(), 2U);
  ASSERT_EQ(remove(tty.b), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, a_terminal_hangs_up_while_it_is_watched) {
  for (const bool master : {true, false}) {
    ends tty = terminal();
    if (tty.b < 0) GTEST_SKIP() << "no pseudo-terminals here";
    if (master) std::swap(tty.a, tty.b);
    const auto e = unix_pair();
    ASSERT_EQ(add(e.a, read), 0);
    ASSERT_EQ(add(tty.b, read), 0);
    EXPECT_EQ(wait(1 * ms), ready_list{});
    tty.a.close();
    EXPECT_EQ(wait(0), (ready_list{{tty.b, read}})) << "what is so is seen without waiting";
    EXPECT_EQ(wait(for_ever), (ready_list{{tty.b, read}}));
    ASSERT_EQ(remove(tty.b), 0);
    ASSERT_EQ(remove(e.a), 0);
  }
}

// Watched for writing alone, readable, full, and hung up in the end: nothing that select(2) says.
TEST_P(each_facility, a_hang_up_of_one_that_was_merely_readable_is_seen_without_waiting) {
  ends tty = terminal();
  if (tty.b < 0) GTEST_SKIP() << "no pseudo-terminals here";
  put(tty.b);
  ASSERT_EQ(add(tty.a, both), 0);
  while (wait(for_ever) != (ready_list{{tty.a, both}})) {
  }
  fill(tty.a);
  ASSERT_EQ(modify(tty.a, write), 0);
  while (!wait(0).empty()) fill(tty.a);
  tty.b.close();
  EXPECT_EQ(wait(0), (ready_list{{tty.a, write}}));
}

TEST_P(each_facility, what_the_program_does_itself_is_seen_by_the_next_wait) {
  for (const auto make : {unix_pair, tcp_pair}) {
    const auto e = make();
    ASSERT_EQ(add(e.a, read), 0);
    EXPECT_EQ(wait(0), ready_list{});
    ASSERT_EQ(::shutdown(e.a, SHUT_RD), 0);
    EXPECT_EQ(wait(0), (ready_list{{e.a, read}}));
    ASSERT_EQ(remove(e.a), 0);
  }
}

}  // namespace
}  // namespace selector_test

// After fork(2): the child may only close it, which the parent does not notice.
#include "tests/selector/each_facility.hpp"
#include "tests/support/child.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace selector_test {
namespace {

TEST_P(each_facility, a_child_that_closes_it_does_not_disturb_the_parent) {
  const auto e = unix_pair(), f = tcp_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  ASSERT_EQ(add(f.a, IOLITE_READ), 0);
  EXPECT_EQ(wait(0), ready_list{});
  const auto child = iolite_test::run_in_child([&] {
    iolite_selector_close(it);
    it = nullptr;
  });
  EXPECT_EQ(child.exit_status, 0) << child.errors;
  EXPECT_EQ(wait(0), ready_list{});
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, IOLITE_READ}}));
  take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  put(f.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{f.a, IOLITE_READ}}));
  iolite_selector_wake(it);
  take(f.a);
  EXPECT_EQ(wait(for_ever), ready_list{});
}

TEST_P(each_facility, a_child_inherits_no_mask_and_gets_no_signal) {
  sigset_t before, after;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  EXPECT_EQ(wait(0), ready_list{});
  const auto child = iolite_test::run_in_child([&] {
    ::pthread_sigmask(SIG_BLOCK, nullptr, &after);
    for (int n = 1; n < SIGRTMAX; ++n) {
      EXPECT_EQ(sigismember(&before, n), sigismember(&after, n)) << n;
    }
    put(e.b);  // a signal that came here would end this process
    EXPECT_EQ(take(e.a), "x");
  });
  EXPECT_EQ(child.exit_status, 0) << child.errors;
}

TEST_P(each_facility, a_child_makes_its_own) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ), 0);
  EXPECT_EQ(wait(0), ready_list{});
  const auto child = iolite_test::run_in_child([&] {
    const auto own = open_another();
    const auto f = unix_pair();
    ASSERT_EQ(iolite_selector_add(own.get(), f.a, IOLITE_READ, nullptr), 0);
    EXPECT_EQ(wait_on(own.get(), 0), ready_list{});
    put(f.b);
    EXPECT_EQ(wait_on(own.get(), for_ever), (ready_list{{f.a, IOLITE_READ}}));
  });
  EXPECT_EQ(child.exit_status, 0) << child.errors;
}

// epoll(7): the child keeps the file, and so its entry in the parent's list.
TEST_P(each_facility, a_file_that_a_child_keeps_open_does_no_harm) {
  auto e = unix_pair();
  auto stop = pipe_pair();
  ASSERT_EQ(add(e.a, IOLITE_READ | IOLITE_WRITE), 0);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, IOLITE_WRITE}}));
  const pid_t child = ::fork();
  if (child == 0) {  // holds every descriptor until the parent lets go of the pipe
    stop.b.close();
    char none;
    ::fcntl(stop.a, F_SETFL, 0);
    const ssize_t ended = ::read(stop.a, &none, 1);
    ::_exit(ended == 0 ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  const int fd = e.a;
  e.a.close();
  EXPECT_EQ(wait(0), ready_list{});
  EXPECT_EQ(wait(20 * ms), ready_list{});
  EXPECT_EQ(remove(fd), 0);
  EXPECT_EQ(wait(20 * ms), ready_list{});
  stop.b.close();
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace selector_test

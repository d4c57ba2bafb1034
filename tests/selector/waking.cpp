// wake(): before a wait, during one, from a thread, from a signal handler; used up by one wait.
#include "tests/selector/each_facility.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <sys/time.h>
#include <thread>

namespace selector_test {
namespace {

using clock = std::chrono::steady_clock;

TEST_P(each_facility, a_wake_before_the_wait_ends_it) {
  EXPECT_EQ(iolite_selector_wake(it), 0);
  EXPECT_EQ(wait(for_ever), ready_list{});
}

TEST_P(each_facility, wakes_are_coalesced_and_used_up_by_one_wait) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(iolite_selector_wake(it), 0);
  EXPECT_EQ(wait(for_ever), ready_list{});
  const auto start = clock::now();
  EXPECT_EQ(wait(20 * ms), ready_list{});
  EXPECT_GE(clock::now() - start, std::chrono::milliseconds(20)) << "the wake was used up";
}

TEST_P(each_facility, a_wait_of_zero_uses_up_the_wake_too) {
  iolite_selector_wake(it);
  EXPECT_EQ(wait(0), ready_list{});
  const auto start = clock::now();
  EXPECT_EQ(wait(20 * ms), ready_list{});
  EXPECT_GE(clock::now() - start, std::chrono::milliseconds(20));
}

TEST_P(each_facility, a_woken_wait_reports_what_is_ready) {
  std::vector<ends> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(unix_pair());
    put(all.back().b);
    ASSERT_EQ(add(all.back().a, IOLITE_READ), 0);
  }
  iolite_selector_wake(it);
  ASSERT_EQ(wait(for_ever, 1).size(), 1U);
  for (const ends& e : all) take(e.a);
  const auto start = clock::now();
  EXPECT_EQ(wait(20 * ms), ready_list{}) << "the wake was used up by the wait that had news";
  EXPECT_GE(clock::now() - start, std::chrono::milliseconds(20));
}

TEST_P(each_facility, another_thread_wakes_again_and_again) {
  std::atomic<int> asked = 0, seen = 0;
  std::jthread other([&] {
    for (int i = 1; i <= 200; ++i) {
      asked = i;
      iolite_selector_wake(it);
      while (seen < i) std::this_thread::yield();
    }
  });
  while (seen < 200) {
    EXPECT_EQ(wait(for_ever), ready_list{});
    seen = asked.load();
  }
}

TEST_P(each_facility, no_wake_of_many_threads_is_lost) {
  std::atomic<int> given = 0;
  constexpr int threads = 3, each = 2000;
  std::vector<std::jthread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        ++given;
        EXPECT_EQ(iolite_selector_wake(it), 0);
      }
    });
  }
  while (given < threads * each) wait(for_ever);  // the last wake comes after the last count
}

std::atomic<iolite_selector*> to_wake = nullptr;
std::atomic<int> errno_after = 0;
void wake_it(int) {
  const int saved = errno;
  errno = EDOM;
  iolite_selector_wake(to_wake);
  errno_after = errno;
  errno = saved;
}

void handle_alarm_by_waking(iolite_selector* s) {
  to_wake = s;
  struct sigaction act{};
  act.sa_handler = wake_it;
  ::sigaction(SIGALRM, &act, nullptr);
}

TEST_P(each_facility, a_signal_handler_wakes) {
  handle_alarm_by_waking(it);
  for (int i = 0; i < 20; ++i) {
    const itimerval once{{0, 0}, {0, 1000 + 100 * i}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
    EXPECT_EQ(wait(for_ever), ready_list{});
  }
  EXPECT_EQ(errno_after, EDOM) << "wake() leaves errno alone";
  // The handler runs in a thread that has made no call of the library before.
  std::thread([&] {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    ::pthread_kill(::pthread_self(), SIGALRM);
  }).join();
  EXPECT_EQ(wait(for_ever), ready_list{});
}

}  // namespace
}  // namespace selector_test

// Signals and threads: masks, a full queue, several selectors in one thread, one in several.
// Every facility has to pass; `signal` is the one that may fail.
#include "tests/selector/each_facility.hpp"
#include "tests/support/child.hpp"

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <sys/resource.h>
#include <thread>

namespace selector_test {
namespace {

constexpr unsigned read = IOLITE_READ;

std::vector<int> blocked_signals() {
  sigset_t now;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
  std::vector<int> all;
  for (int n = 1; n <= SIGRTMAX; ++n) {
    if (sigismember(&now, n) == 1) all.push_back(n);
  }
  return all;
}

TEST_P(each_facility, the_mask_is_as_before_after_close) {
  const auto before = blocked_signals();
  const auto e = unix_pair();
  std::atomic<bool> waited = false;  // a thread made later would inherit the mask
  std::thread other([&] {
    while (!waited) std::this_thread::yield();
    EXPECT_EQ(blocked_signals(), before) << "another thread's";
  });
  {
    const auto one = open_another();
    ASSERT_EQ(iolite_selector_add(one.get(), e.a, read, nullptr), 0);
    EXPECT_EQ(blocked_signals(), before) << "only a wait needs it";
    put(e.b);
    EXPECT_EQ(wait_on(one.get(), for_ever), (ready_list{{e.a, read}}));
    waited = true;
    other.join();
    {
      const auto two = open_another();
      wait_on(two.get(), 0);
    }
    put(e.b);  // queued, and never taken
  }
  EXPECT_EQ(blocked_signals(), before);
  put(e.b);  // a signal now would end the process
  EXPECT_EQ(take(e.a), "xxx");
}

TEST_P(each_facility, a_mask_of_the_program_stays) {
  sigset_t set, old;
  sigemptyset(&set);
  for (const int n : {SIGIO, SIGUSR1, SIGRTMIN + 4}) sigaddset(&set, n);
  ::pthread_sigmask(SIG_BLOCK, &set, &old);
  const auto before = blocked_signals();
  {
    const auto one = open_another();
    const auto e = unix_pair();
    ASSERT_EQ(iolite_selector_add(one.get(), e.a, read, nullptr), 0);
    wait_on(one.get(), 0);
  }
  EXPECT_EQ(blocked_signals(), before);
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST_P(each_facility, several_in_one_thread_do_not_take_each_others_news) {
  const auto other = open_another();
  const auto e = unix_pair(), f = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(iolite_selector_add(other.get(), f.a, read, nullptr), 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(wait(0), ready_list{});
    EXPECT_EQ(wait_on(other.get(), 0), ready_list{});
    put(e.b), put(f.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
    EXPECT_EQ(wait_on(other.get(), for_ever), (ready_list{{f.a, read}}));
    take(e.a), take(f.a);
  }
}

TEST_P(each_facility, several_in_one_thread_watch_the_same_descriptor) {
  auto other = open_another();
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  ASSERT_EQ(iolite_selector_add(other.get(), e.a, read, nullptr), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(wait(0), ready_list{});
    EXPECT_EQ(wait_on(other.get(), 0), ready_list{});
    put(e.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
    EXPECT_EQ(wait_on(other.get(), for_ever), (ready_list{{e.a, read}}));
    take(e.a);
  }
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(iolite_selector_remove(other.get(), e.a), 0);
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
  take(e.a);
  EXPECT_EQ(wait(0), ready_list{});
  ASSERT_EQ(iolite_selector_add(other.get(), e.a, read, nullptr), 0);
  EXPECT_EQ(wait_on(other.get(), 0), ready_list{});
  other.reset();
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, waits_in_one_thread_after_another) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  for (int i = 0; i < 5; ++i) {
    std::thread([&] {
      EXPECT_EQ(wait(0), ready_list{});
      put(e.b);
      EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
      take(e.a);
    }).join();
    put(e.b);
    EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
    take(e.a);
    EXPECT_EQ(wait(0), ready_list{});
  }
}

TEST_P(each_facility, news_from_between_two_waiting_threads_is_seen) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  std::thread([&] { EXPECT_EQ(wait(0), ready_list{}); }).join();
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
}

TEST_P(each_facility, a_full_signal_queue_loses_nothing) {
  const auto child = iolite_test::run_in_child([&] {
    const rlimit few{8, 8};
    ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &few), 0);
    const auto own = open_another();
    std::vector<ends> all;
    for (int i = 0; i < 300; ++i) {
      all.push_back(unix_pair());
      ASSERT_EQ(iolite_selector_add(own.get(), all.back().a, read, nullptr), 0);
    }
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(wait_on(own.get(), 0), ready_list{});
      for (const ends& e : all) put(e.b);
      std::vector<bool> seen(4096);
      std::size_t count = 0;
      while (count < all.size()) {
        for (const ready& r : wait_on(own.get(), for_ever, 64)) {
          EXPECT_FALSE(seen[static_cast<std::size_t>(r.fd)]) << r.fd;
          seen[static_cast<std::size_t>(r.fd)] = true;
          ++count;
          take(r.fd);
        }
      }
    }
  });
  EXPECT_EQ(child.exit_status, 0) << child.errors;
}

TEST_P(each_facility, the_queue_filling_up_while_nobody_waits_loses_nothing) {
  const auto e = unix_pair();
  ASSERT_EQ(add(e.a, read), 0);
  EXPECT_EQ(wait(0), ready_list{});
  for (int i = 0; i < 20'000; ++i) {
    put(e.b);
    if (i % 100 == 99) take(e.a);
  }
  put(e.b);
  EXPECT_EQ(wait(for_ever), (ready_list{{e.a, read}}));
  while (!take(e.a).empty()) {
  }
  EXPECT_EQ(wait(0), ready_list{});
}

}  // namespace
}  // namespace selector_test

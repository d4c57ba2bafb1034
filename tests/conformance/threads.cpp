// What other threads and signals may do to an engine, and what they cannot.
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/time.h>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, wake_from_another_thread_disturbs_nothing) {
  half_pair pair = unix_half(on());
  iolite::engine& e = on();
  std::atomic<bool> stop = false;
  std::thread waker([&] {
    while (!stop) e.wake();
  });
  struct body {
    static task<> check(half_pair& p) {
      for (int i = 0; i < 200; ++i) {
        p.theirs.send_all("x");
        const auto r = co_await receive(p.ours);
        EXPECT_EQ(r.value_or("error"), "x");
        const auto none = co_await receive_within(p.ours, 50us);
        EXPECT_FALSE(none);
      }
    }
  };
  run(body::check(pair));
  stop = true;
  waker.join();
}

TEST_P(engine, wake_before_run_is_not_an_error) {
  on().wake();
  on().wake();
  outcome out;
  run(sleeping(1ms, out));
  EXPECT_FALSE(out.code);
}

TEST_P(engine, request_cancel_from_another_thread_ends_what_waits) {
  iolite::engine& e = on();
  struct bodies {
    static task<> all(std::atomic<bool>& waits, outcome& out) {
      waits = true;
      const auto r = co_await iolite::sleep(1h);
      out.set(r);
    }
  };
  std::atomic<bool> waits = false;
  std::thread other([&] {
    while (!waits) std::this_thread::yield();
    e.request_cancel();
  });
  outcome out;
  run(bodies::all(waits, out));
  other.join();
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, request_cancel_reaches_children_of_children) {
  iolite::engine& e = on();
  struct bodies {
    static task<> child(std::atomic<int>& waits, outcome& out) {
      ++waits;
      const auto r = co_await iolite::sleep(1h);
      out.set(r);
    }
    static task<> middle(std::atomic<int>& waits, outcome& a, outcome& b) {
      scope s;
      s.spawn(child(waits, a));
      s.spawn(child(waits, b));
      co_await s.join();
    }
  };
  std::atomic<int> waits = 0;
  std::thread other([&] {
    while (waits < 2) std::this_thread::yield();
    e.request_cancel();
  });
  outcome a;
  outcome b;
  run(bodies::middle(waits, a, b));
  other.join();
  EXPECT_EQ(a.code, std::errc::operation_canceled);
  EXPECT_EQ(b.code, std::errc::operation_canceled);
}

TEST_P(engine, two_engines_on_two_threads_know_nothing_of_each_other) {
  const auto talk = [](iolite::engine& e) {
    half_pair pair = unix_half(e);
    std::thread client([&] {
      for (int i = 0; i < 500; ++i) {
        pair.theirs.send_all("x");
        EXPECT_EQ(pair.theirs.recv_exactly(1), "x");
      }
      pair.theirs.half_close();
    });
    e.run(echo(std::move(pair.ours)));
    client.join();
  };
  std::thread other([&] {
    const auto e = another();
    talk(*e);
  });
  talk(on());
  other.join();
}

TEST_P(engine, an_engine_is_made_here_and_run_on_another_thread) {
  const auto e = another();
  std::thread other([&] {
    half_pair pair = unix_half(*e);
    pair.theirs.send_all("hello");
    EXPECT_EQ(e->run(receive(pair.ours)).value_or("error"), "hello");
  });
  other.join();
}

std::atomic<int> alarms = 0;
void count_alarm(int) { ++alarms; }

// A signal a millisecond, without SA_RESTART: every call that waits is interrupted now and then.
TEST_P(engine, a_storm_of_signals_loses_no_byte_and_ends_no_wait_early) {
  constexpr int messages = 10'000;
  half_pair pair = unix_half(on());
  sigset_t alarm_set;
  sigemptyset(&alarm_set);
  sigaddset(&alarm_set, SIGALRM);
  std::thread client([&] {
    pthread_sigmask(SIG_BLOCK, &alarm_set, nullptr);  // the storm is for the engine's thread
    const std::string ping = pattern(100);
    for (int i = 0; i < messages; ++i) {
      EXPECT_TRUE(pair.theirs.send_all(ping));
      if (pair.theirs.recv_exactly(ping.size()) != ping) ADD_FAILURE() << "message " << i;
    }
    pair.theirs.half_close();
  });
  struct sigaction act{};
  struct sigaction before{};
  act.sa_handler = count_alarm;
  sigaction(SIGALRM, &act, &before);
  const itimerval fast{{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &fast, nullptr);
  run(echo(std::move(pair.ours)));
  for (int i = 0; i < 5; ++i) {
    const auto begin = iolite::clock::now();
    outcome out;
    run(sleeping(10ms, out));
    EXPECT_GE(iolite::clock::now() - begin, 10ms);
    EXPECT_FALSE(out.code);
  }
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  client.join();
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_GT(alarms.exchange(0), 20);
}

TEST_P(engine, the_signal_mask_is_the_same_after_the_engine_ends) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const auto e = another();
    half_pair pair = unix_half(*e);
    pair.theirs.send_all("x");
    EXPECT_EQ(e->run(receive(pair.ours)).value_or("error"), "x");
  }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int s = 1; s < SIGRTMAX; ++s)
    EXPECT_EQ(sigismember(&before, s), sigismember(&after, s)) << s;
}

TEST_P(engine, a_hundred_engines_one_after_the_other_leave_nothing_behind) {
  for (int i = 0; i < 100; ++i) {
    const auto e = another();
    half_pair pair = unix_half(*e);
    pair.theirs.send_all("x");
    EXPECT_EQ(e->run(receive(pair.ours)).value_or("error"), "x");
  }
}

void use_one(const std::string& name) {
  const auto e = new_engine(name);
  half_pair pair = unix_half(*e);
  pair.theirs.send_all("x");
  EXPECT_EQ(e->run(receive(pair.ours)).value_or("error"), "x");
}

// Threads of the parent are not in the child of fork(2), and its own may lie where those lay.
TEST_P(engine, a_child_of_fork_uses_threads_although_its_parent_had_some) {
  if (!traits().after_fork) GTEST_SKIP() << "a child cannot use it, and says so";
  if (thread_sanitizer) GTEST_SKIP() << "the sanitizer allows no threads after a fork with threads";
  std::atomic<int> used = 0;
  std::atomic<bool> over = false;
  std::vector<std::thread> ours;
  for (int i = 0; i < 4; ++i) {
    ours.emplace_back([&] {
      use_one(GetParam());
      ++used;
      over.wait(false);
    });
  }
  while (used < 4) std::this_thread::yield();
  const child_end end = run_in_child([name = GetParam()] {
    for (int round = 0; round < 3; ++round) {
      std::vector<std::thread> own;
      for (int i = 0; i < 8; ++i) own.emplace_back(use_one, name);
      for (std::thread& t : own) t.join();
    }
  });
  over = true;
  over.notify_all();
  for (std::thread& t : ours) t.join();
  EXPECT_EQ(end.exit_status, 0) << end.ended_by_signal << end.errors;
}

TEST_P(engine, ten_engines_side_by_side_in_one_thread) {
  std::vector<std::unique_ptr<iolite::engine>> engines;
  for (int i = 0; i < 10; ++i) engines.push_back(another());
  for (int round = 0; round < 3; ++round) {
    for (const auto& e : engines) {
      half_pair pair = unix_half(*e);
      pair.theirs.send_all("x");
      EXPECT_EQ(e->run(receive(pair.ours)).value_or("error"), "x");
    }
  }
}

// A child's thread, engine and descriptors go when it ends, not at join().
TEST_P(engine, children_one_after_the_other_leave_nothing_behind) {
  constexpr int children_in_all = address_sanitizer || thread_sanitizer ? 1000 : 10'000;
  struct held {
    std::size_t descriptors, threads, mappings;  // a thread that is not joined keeps its stack

    static held now() { return {entries("/proc/self/fd"), entries("/proc/self/task"), lines()}; }
    static std::size_t entries(const char* folder) {
      return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                    std::filesystem::directory_iterator()));
    }
    static std::size_t lines() {
      std::ifstream maps("/proc/self/maps");
      return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
    }
  };
  struct body {
    static task<> all() {
      const held before = held::now();
      channel<int> ended(1);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        for (int i = 0; i < children_in_all; ++i) {
          children.spawn([&ended, i]() -> task<> { static_cast<void>(co_await ended.send(i)); });
          const auto which = co_await ended.receive();
          EXPECT_EQ(which.value_or(-1), i);
          if (i % 500 != 499) continue;
          // Some are ending still, more of them on a busy machine; the C library keeps some stacks.
          const held now = held::now();
          EXPECT_LE(now.descriptors, before.descriptors + 500);
          EXPECT_LE(now.threads, before.threads + 500);
          EXPECT_LE(now.mappings, before.mappings + 1500);
        }
      });
    }
  };
  run(body::all());
}

std::uint64_t polls() {
  std::uint64_t n = 0;
  for (const auto& c : system_calls()) n += c.name == "poll" ? c.count : 0;
  return n;
}

// A task whose last wait it ends, and which was never suspended where waiting holds the thread.
TEST_P(engine, request_cancel_that_ends_the_last_wait_is_over_with_its_run) {
  half_pair pair = unix_half(on());
  iolite::engine& e = on();
  const bool waits_in_the_call = traits().blocking;
  std::atomic<std::uint64_t> before = 0;
  std::atomic<bool> waits = false;
  std::thread other([&] {
    while (!waits || (waits_in_the_call && polls() < before + 1)) std::this_thread::yield();
    e.request_cancel();
  });
  struct body {
    static task<> receives(stream& from, std::atomic<std::uint64_t>& before,
                           std::atomic<bool>& waits) {
      const auto first = co_await (receive(from));
      EXPECT_TRUE(first);
      before = polls();
      waits = true;
      const auto second = co_await (receive(from));
      EXPECT_EQ(second ? std::error_code() : second.error(), std::errc::operation_canceled);
    }
  };
  pair.theirs.send_all("first");
  run(body::receives(pair.ours, before, waits));
  other.join();
  pair.theirs.send_all("next run");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "next run");
}

// A wake-up that was taken while a call waited must not swallow the one of the cancel.
TEST_P(engine, request_cancel_after_a_wake_ends_a_receive) {
  half_pair pair = unix_half(on());
  iolite::engine& e = on();
  const std::uint64_t before = polls();
  const bool waits_in_the_call = traits().blocking;
  std::atomic<bool> waits = false;
  std::thread other([&] {
    while (!waits || (waits_in_the_call && polls() < before + 1)) std::this_thread::yield();
    e.wake();
    // It has taken the wake-up when it waits once more.
    while (waits_in_the_call && polls() < before + 2) std::this_thread::yield();
    e.request_cancel();
  });
  struct body {
    static task<std::error_code> receives(stream& from, std::atomic<bool>& waits) {
      waits = true;
      const auto r = co_await receive(from);
      co_return r ? std::error_code() : r.error();
    }
  };
  EXPECT_EQ(run(body::receives(pair.ours, waits)), std::errc::operation_canceled);
  other.join();
}

}  // namespace
}  // namespace iolite_test

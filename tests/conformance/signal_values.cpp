// Signals as values: iolite/signals.hpp. What they do beside a server is in signals.cpp.
#include "iolite/signals.hpp"

#include "kernel/kernel.hpp"
#include "support/engine_test.hpp"

#include <csignal>
#include <optional>
#include <sys/wait.h>

namespace iolite_test {
namespace {

using namespace iolite;

void send_to_self(int number) { system_of_test().kill(system_of_test().getpid(), number); }

using signal_handler = void (*)(int);

// What the process does with `number` now.
signal_handler action_of(int number) {
  struct sigaction now{};
  EXPECT_EQ(system_of_test().sigaction(number, nullptr, &now), 0);
  return now.sa_handler;
}

task<> next_of(signals& from, int& out) {
  const auto got = co_await from.next();
  out = got.value_or(-1);
}
task<> next_of(signals& from, outcome& out) {
  const auto got = co_await from.next();
  out.set(got);
}
// What has come already; 0: nothing has.
task<int> already(signals& from) {
  const auto got = co_await (from.next() | within(0s));
  co_return got.value_or(0);
}

TEST_P(engine, a_signal_that_came_before_it_is_asked_for_is_kept) {
  struct body {
    static task<> all() {
      signals caught({SIGHUP});
      send_to_self(SIGHUP);
      const auto got = co_await caught.next();
      EXPECT_EQ(got.value_or(0), SIGHUP);
      const int more = co_await already(caught);
      EXPECT_EQ(more, 0) << "it is delivered once";
    }
  };
  run(body::all());
}

TEST_P(engine, a_task_that_waits_is_told_of_a_signal) {
  struct body {
    static task<> all(int& got) {
      signals caught({SIGHUP, SIGUSR1});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(next_of(caught, got));
        co_await let_others_run();
        send_to_self(SIGUSR1);
      });
    }
  };
  int got = 0;
  run(body::all(got));
  EXPECT_EQ(got, SIGUSR1);
}

// As signal(7) has it for the pending ones.
TEST_P(engine, deliveries_that_nobody_asked_for_are_one_for_each_number_the_lowest_first) {
  struct body {
    static task<> all() {
      signals caught({SIGUSR2, SIGHUP, SIGUSR1});
      for (const int number : {SIGUSR1, SIGHUP, SIGUSR1, SIGHUP}) send_to_self(number);
      const int first = co_await already(caught);
      EXPECT_EQ(first, SIGHUP);
      const int second = co_await already(caught);
      EXPECT_EQ(second, SIGUSR1);
      const int third = co_await already(caught);
      EXPECT_EQ(third, 0);
    }
  };
  run(body::all());
}

TEST_P(engine, all_tasks_that_wait_for_a_signal_are_told) {
  struct body {
    static task<> all(int& a, int& b, int& c) {
      signals both({SIGHUP, SIGUSR1}), other({SIGHUP});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(next_of(both, a));
        children.spawn(next_of(both, b));
        children.spawn(next_of(other, c));
        co_await let_others_run();
        send_to_self(SIGHUP);
      });
    }
  };
  int a = 0, b = 0, c = 0;
  run(body::all(a, b, c));
  // Where children are threads, one may have come when the signal was taken already.
  EXPECT_TRUE(a == SIGHUP || b == SIGHUP);
  EXPECT_TRUE(traits().blocking || a == b);
  EXPECT_EQ(c, SIGHUP);
}

TEST_P(engine, each_object_of_a_signal_is_told_of_it) {
  struct body {
    static task<> all() {
      signals one({SIGHUP}), other({SIGHUP, SIGUSR1});
      send_to_self(SIGHUP);
      const int first = co_await already(one);
      EXPECT_EQ(first, SIGHUP);
      const int second = co_await already(other);
      EXPECT_EQ(second, SIGHUP);
      send_to_self(SIGUSR1);
      const int third = co_await already(one);
      EXPECT_EQ(third, 0) << "it is none of its signals";
    }
  };
  run(body::all());
}

TEST_P(engine, a_wait_for_a_signal_has_its_limit) {
  struct body {
    static task<> all() {
      signals caught({SIGHUP});
      const auto got = co_await (caught.next() | within(5ms));
      EXPECT_EQ(got ? std::error_code() : got.error(), std::errc::timed_out);
      send_to_self(SIGHUP);
      const int kept = co_await already(caught);
      EXPECT_EQ(kept, SIGHUP) << "a wait that timed out has taken nothing";
    }
  };
  run(body::all());
}

TEST_P(engine, a_wait_for_a_signal_is_cancelled_alone) {
  struct body {
    static task<> all(outcome& cancelled, int& other) {
      signals caught({SIGHUP});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(next_of(caught, other));
        auto one = children.spawn(next_of(caught, cancelled));
        co_await let_others_run();
        one.cancel();
        co_await one;
        send_to_self(SIGHUP);
      });
    }
  };
  outcome cancelled;
  int other = 0;
  run(body::all(cancelled, other));
  EXPECT_EQ(cancelled.code, std::errc::operation_canceled);
  EXPECT_EQ(other, SIGHUP) << "whoever waits beside a cancelled one is told";
}

TEST_P(engine, the_last_object_of_a_signal_puts_back_what_was_before) {
  const signal_handler before = action_of(SIGUSR1);
  {
    std::optional<signals> first, second;
    first.emplace({SIGUSR1, SIGHUP});
    second.emplace({SIGUSR1});
    EXPECT_NE(action_of(SIGUSR1), before);
    first.reset();
    EXPECT_NE(action_of(SIGUSR1), before) << "the other one catches it yet";
    EXPECT_EQ(action_of(SIGHUP), SIG_DFL);
  }
  EXPECT_EQ(action_of(SIGUSR1), before);
}

TEST_P(engine, a_handler_that_the_program_sets_meanwhile_stays) {
  const auto set = [](signal_handler h) {
    struct sigaction act{};
    act.sa_handler = h;
    system_of_test().sigaction(SIGUSR1, &act, nullptr);
  };
  const signal_handler its_own = [](int) {};
  {
    signals caught({SIGUSR1});
    set(its_own);
  }
  EXPECT_EQ(action_of(SIGUSR1), its_own);
  set(SIG_DFL);
}

TEST_P(engine, the_end_of_a_child_is_a_signal) {
  struct body {
    static task<> all() {
      signals caught({SIGCHLD});
      kernel& os = system_of_test();
      const int pid = os.fork([](kernel&) { return 3; });
      EXPECT_GT(pid, 0);
      int status = 0;
      for (int reaped = 0; reaped == 0;) {
        const auto got = co_await caught.next();
        EXPECT_EQ(got.value_or(0), SIGCHLD);
        reaped = os.waitpid(-1, &status, WNOHANG);
        EXPECT_TRUE(reaped == 0 || reaped == pid);
      }
      EXPECT_EQ(WEXITSTATUS(status), 3);
    }
  };
  run(body::all());
}

// A child catches nothing of what its parent does.
TEST_P(engine, in_a_child_a_signal_does_what_it_did_before) {
  const signals caught({SIGUSR1});
  kernel& os = system_of_test();
  const int pid = os.fork([](kernel& k) {
    k.kill(k.getpid(), SIGUSR1);
    return 0;
  });
  ASSERT_GT(pid, 0);
  int status = 0, reaped = -EINTR;
  while (reaped == -EINTR) reaped = os.waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1) << status;
}

// Each is asked for once it has come, so none is one with the next.
TEST_P(engine, signals_that_another_thread_sends_all_arrive) {
  constexpr std::uint32_t many = 50;
  struct body {
    static task<int> count(signals& from, counter& taken) {
      int sum = 0;
      for (std::uint32_t i = 0; i < many; ++i) {
        const auto got = co_await from.next();
        sum += got.value_or(0) == SIGUSR2 ? 1 : 0;
        taken.add_one();
      }
      co_return sum;
    }
  };
  signals caught({SIGUSR2});
  counter taken;
  other_thread sender([&] {
    for (std::uint32_t i = 0; i < many; ++i) {
      taken.await(i);
      send_to_self(SIGUSR2);
    }
  });
  const int sum = run(body::count(caught, taken));
  sender.join();
  EXPECT_EQ(sum, 50);
}

// The object is used from a second engine, on a thread of its own.
TEST_P(engine, a_signal_is_told_to_tasks_on_other_threads) {
  struct body {
    static task<> wait(signals& from, counter& begun, int& out) {
      begun.add_one();
      const auto got = co_await from.next();
      out = got.value_or(-1);
    }
  };
  signals mine({SIGHUP}), theirs({SIGHUP});
  counter begun;
  int here = 0, there = 0;
  other_thread other([&] { another()->run(body::wait(theirs, begun, there)); });
  begun.await(1);
  send_to_self(SIGHUP);
  run(body::wait(mine, begun, here));
  other.join();
  EXPECT_EQ(here, SIGHUP);
  EXPECT_EQ(there, SIGHUP);
}

}  // namespace
}  // namespace iolite_test

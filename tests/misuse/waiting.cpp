// What tasks wait in, used wrongly: destroyed while they wait, awaited by two
// at a time, on another thread, or in a child of fork(2). Each stops the
// program with one line.
#include "iolite/iolite.hpp"
#include "support/child.hpp"
#include "support/streams.hpp"

#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <pthread.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

std::unique_ptr<engine> loop() { return std::move(*make_engine("poll")); }

void expect_run_stops(task<> (*body)(), const char* words) {
  expect_stops([body] { loop()->run(body()); }, words);
}

// Awaits what `make` gives of `of`.
template <class Object, class Make>
task<> await_from(Object& of, Make make) {
  static_cast<void>(co_await make(of));
}

// A task waits in what is then destroyed.
template <class Object, class Make, class... Arguments>
task<> destroy_while_a_task_waits(Make make, Arguments... arguments) {
  std::optional<Object> object(std::in_place, arguments...);
  co_await in_scope([&](iolite::scope& children) -> task<> {
    children.spawn(await_from(*object, make));
    object.reset();
    co_return;
  });
}

// Two tasks await one and the same operation.
template <class Operation>
task<> await_by_two(Operation& shared) {
  struct body {
    static task<> waits(Operation& op) { static_cast<void>(co_await op); }
  };
  co_await in_scope([&](iolite::scope& children) -> task<> {
    children.spawn(body::waits(shared));
    children.spawn(body::waits(shared));
    co_return;
  });
}

void* run_function(void* f) {
  (*static_cast<std::function<void()>*>(f))();
  return nullptr;
}
void on_another_thread(std::function<void()> f) {
  pthread_t other{};
  pthread_create(&other, nullptr, run_function, &f);
  pthread_join(other, nullptr);
}

constexpr auto receives = [](auto& o) { return o.receive(); };
constexpr auto acquires = [](auto& o) { return o.acquire(); };
constexpr auto next = [](auto& o) { return o.next(); };

// --- destroyed while tasks wait ---

TEST(misuse_waiting, a_oneshot_destroyed_while_a_task_receives) {
  expect_run_stops([] { return destroy_while_a_task_waits<oneshot<int>>(receives); },
                   "outlives those who wait");
}

TEST(misuse_waiting, a_semaphore_destroyed_while_a_task_waits) {
  expect_run_stops([] { return destroy_while_a_task_waits<semaphore>(acquires, 0U); },
                   "outlives those who wait");
}

TEST(misuse_waiting, a_semaphore_destroyed_while_a_permit_is_out) {
  expect_stops(
      [] {
        std::optional<semaphore> s(std::in_place, 1U);
        const auto permit = s->try_acquire();
        s.reset();
      },
      "outlives those who hold it");
}

TEST(misuse_waiting, a_mutex_destroyed_while_a_task_waits) {
  struct body {
    static task<> all() {
      std::optional<iolite::mutex> m(std::in_place);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        const auto held = m->try_lock();
        children.spawn(await_from(*m, [](auto& o) { return o.lock(); }));
        m.reset();
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "outlives those who hold it");
}

TEST(misuse_waiting, a_ticker_destroyed_while_a_task_waits) {
  expect_run_stops([] { return destroy_while_a_task_waits<ticker>(next, 1ms); },
                   "outlives the task");
}

TEST(misuse_waiting, signals_destroyed_while_a_task_waits) {
  struct body {
    static task<> all() {
      auto caught = std::make_unique<signals>(std::initializer_list<int>{SIGUSR1});
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(await_from(*caught, next));
        caught.reset();
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "outlives those who wait");
}

TEST(misuse_waiting, a_handle_destroyed_while_a_task_awaits_it) {
  struct bodies {
    static task<> waits(task_handle<>& h) { co_await h; }
    static task<> all() {
      event go;
      outcome out;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        std::optional<task_handle<>> h = children.spawn(waiting(go, out));
        children.spawn(waits(*h));
        go.set();
        h.reset();
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "a task_handle outlives the task that awaits it");
}

TEST(misuse_waiting, a_worker_pool_destroyed_while_a_call_runs) {
  expect_run_stops(
      [] {
        return destroy_while_a_task_waits<worker_pool>(
            [](worker_pool& p) { return p.run([] { ::pause(); }); });
      },
      "a worker_pool outlives the tasks that await its calls");
}

// Those that were woken use it once more, when they go on.
TEST(misuse_waiting, an_event_destroyed_before_those_it_has_woken_go_on) {
  struct body {
    static task<> all() {
      outcome out;
      std::optional<event> e;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waiting(e.emplace(), out));
        e->set();
        e.reset();
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "outlives those who wait");
}

TEST(misuse_waiting, a_channel_destroyed_before_those_that_it_has_woken_go_on) {
  struct body {
    static task<> all() {
      std::optional<channel<int>> c(std::in_place, 1U);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(await_from(*c, receives));
        c->close();
        c.reset();
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "outlives those who wait");
}

// --- awaited by two at a time ---

TEST(misuse_waiting, a_receive_of_a_oneshot_awaited_by_two_at_a_time) {
  struct body {
    static task<> all() {
      oneshot<int> value;
      auto op = value.receive();
      co_await await_by_two(op);
    }
  };
  expect_run_stops(body::all, "awaited once at a time");
}

TEST(misuse_waiting, an_acquire_awaited_by_two_at_a_time) {
  struct body {
    static task<> all() {
      semaphore none(0);
      auto op = none.acquire();
      co_await await_by_two(op);
    }
  };
  expect_run_stops(body::all, "awaited once at a time");
}

TEST(misuse_waiting, a_ticker_awaited_by_two_at_a_time) {
  struct bodies {
    static task<> waits(ticker& t) { static_cast<void>(co_await t.next()); }
    static task<> all() {
      ticker every(1h);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waits(every));
        children.spawn(waits(every));
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "one task at a time awaits a ticker");
}

TEST(misuse_waiting, a_child_awaited_by_two_at_a_time) {
  struct bodies {
    static task<> waits(task_handle<>& h) { co_await h; }
    static task<> all() {
      event never_set;
      outcome out;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto h = children.spawn(waiting(never_set, out));
        children.spawn(waits(h));
        children.spawn(waits(h));
        co_await let_others_run();
      });
    }
  };
  expect_run_stops(bodies::all, "one task awaits a child");
}

// One after the other is fine: each await is a wait of its own.
TEST(misuse_waiting, an_operation_may_be_awaited_again) {
  struct body {
    static task<int> all() {
      oneshot<int> value;
      value.send(7);
      auto op = value.receive();
      const auto first = co_await op;
      const auto second = co_await op;
      EXPECT_EQ(second ? std::error_code() : second.error(), make_error_code(errc::closed));
      co_return first.value_or(0);
    }
  };
  EXPECT_EQ(loop()->run(body::all()), 7);
}

// --- on another thread ---

TEST(misuse_waiting, a_handle_cancelled_on_another_thread) {
  struct body {
    static task<> all() {
      event never_set;
      outcome out;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto h = children.spawn(waiting(never_set, out));
        on_another_thread([&] { h.cancel(); });
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "thread");
}

TEST(misuse_waiting, a_handle_awaited_on_another_thread) {
  struct bodies {
    static task<> waits(task_handle<>& h) { co_await h; }
    static task<> all() {
      event never_set;
      outcome out;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto h = children.spawn(waiting(never_set, out));
        on_another_thread([&] { loop()->run(waits(h)); });
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "thread");
}

// --- in a child of fork(2) ---

TEST(misuse_waiting, signals_of_the_parent_used_in_a_child) {
  signals caught({SIGUSR1});
  expect_stops([&] { loop()->run(await_from(caught, next)); }, "do not survive fork(2)");
}

TEST(misuse_waiting, a_worker_pool_of_the_parent_used_in_a_child) {
  worker_pool pool;
  expect_stops(
      [&] {
        loop()->run(await_from(pool, [](worker_pool& p) { return p.run([] { return 1; }); }));
      },
      "does not survive fork(2)");
}

TEST(misuse_waiting, what_the_parent_has_may_be_destroyed_in_a_child) {
  auto pool = std::make_unique<worker_pool>();
  auto caught = std::make_unique<signals>(std::initializer_list<int>{SIGUSR1});
  const auto n = loop()->run(in_scope([&](iolite::scope&) -> task<int> {
    const auto made = co_await pool->run([] { return 7; });
    co_return made.value_or(0);
  }));
  EXPECT_EQ(n, 7);
  const child_end child = run_in_child([&] {
    pool.reset();
    caught.reset();
  });
  EXPECT_EQ(child.exit_status, 0) << child.errors;
}

// --- what cannot be ---

TEST(misuse_waiting, a_signal_that_cannot_be_caught) {
  for (const int number : {SIGKILL, SIGSTOP, SIGSEGV, SIGIO, SIGRTMIN + 4, 0, 32, 1000}) {
    SCOPED_TRACE(number);
    expect_stops([number] { const signals caught({number}); }, "not for a program to catch");
  }
}

TEST(misuse_waiting, a_worker_pool_without_threads) {
  expect_stops([] { const worker_pool pool({.threads = 0}); }, "1 to 1024 threads");
}

} // namespace
} // namespace iolite_test

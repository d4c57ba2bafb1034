// Using tasks, scopes, events and channels wrongly: none of it corrupts memory in silence. What
// depends on the engine is in tests/conformance/rules.cpp.
#include "iolite/iolite.hpp"
#include "support/child.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <pthread.h>
#include <stdexcept>
#include <type_traits>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

// --- what does not compile ---

template <class Left, class Right>
concept can_be_bounded = requires(Left left, Right right) { std::move(left) | right; };
template <class Awaited>
concept has_co_await = requires(Awaited& a) { a.operator co_await(); };
template <class Body>
concept scoped = requires(Body body) { in_scope(body); };

static_assert(!std::is_copy_constructible_v<task<>> && !std::is_copy_assignable_v<task<int>>);
static_assert(!std::is_move_constructible_v<iolite::scope>, "a scope stays where it is");
static_assert(!std::is_copy_constructible_v<event> && !std::is_move_constructible_v<event>);
static_assert(!std::is_move_constructible_v<channel<int>>);
static_assert(can_be_bounded<recv_operation, within>);
static_assert(!can_be_bounded<sleep_operation, within>, "a sleep is a limit itself");
static_assert(can_be_bounded<task<>, within> && can_be_bounded<task<>, until>);
static_assert(can_be_bounded<task_handle<int>, within>);
static_assert(!can_be_bounded<here, within> && !can_be_bounded<int, until>);
static_assert(!has_co_await<detail::bounded<recv_operation>>, "awaited where it is made only");
static_assert(!has_co_await<decltype(when_any(std::declval<recv_operation>()))>,
              "awaited where it is made only");
static_assert(scoped<task<int> (*)(iolite::scope&)>);
static_assert(!scoped<void (*)(iolite::scope&)>, "the body gives a task");
static_assert(!scoped<task<> (*)()>, "the body takes the scope");

// --- what stops the program ---

std::unique_ptr<engine> loop() { return std::move(*make_engine("poll")); }

void expect_run_stops(task<> (*body)(), const char* words) {
  expect_stops([body] { loop()->run(body()); }, words);
}

task<int> number(int n) { co_return n; }
task<> pause() { static_cast<void>(co_await iolite::sleep(1ms)); }
task<> fails() {
  throw std::runtime_error("as it was told");
  co_return;
}

TEST(misuse, a_task_awaited_twice) {
  struct body {
    static task<> all() {
      auto once = number(1);
      const int first = co_await once;
      EXPECT_EQ(first, 1);
      static_cast<void>(co_await once);
    }
  };
  expect_run_stops(body::all, "a task is awaited once");
}

TEST(misuse, a_task_awaited_again_after_it_threw) {
  struct body {
    static task<> all() {
      auto once = fails();
      try {
        co_await once;
      } catch (const std::runtime_error&) {
      }
      co_await once;
    }
  };
  expect_run_stops(body::all, "a task is awaited once");
}

TEST(misuse, a_task_awaited_by_two_at_a_time) {
  struct bodies {
    static task<> waits(task<>& shared) { co_await shared; }
    static task<> all() {
      auto shared = pause();
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waits(shared));
        children.spawn(waits(shared));
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "a task is awaited once");
}

TEST(misuse, a_task_awaited_after_it_was_moved) {
  struct body {
    static task<> all() {
      auto from = pause();
      auto to = std::move(from);
      co_await to;
      co_await from;  // NOLINT(bugprone-use-after-move): that is the mistake
    }
  };
  expect_run_stops(body::all, "moved");
}

TEST(misuse, a_task_spawned_after_it_was_moved) {
  struct body {
    static task<> all() {
      auto from = pause();
      auto to = std::move(from);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(std::move(from));  // NOLINT(bugprone-use-after-move)
        co_return;
      });
      co_await to;
    }
  };
  expect_run_stops(body::all, "moved");
}

TEST(misuse, a_task_spawned_after_it_was_awaited) {
  struct body {
    static task<> all() {
      auto done = pause();
      co_await done;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(std::move(done));
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "a task is awaited once");
}

TEST(misuse, a_task_run_after_it_was_moved) {
  expect_stops(
      [] {
        auto from = pause();
        const auto to = std::move(from);
        loop()->run(std::move(from));  // NOLINT(bugprone-use-after-move)
      },
      "moved");
}

TEST(misuse, the_value_of_a_child_taken_twice) {
  struct body {
    static task<> all() {
      co_await in_scope([](iolite::scope& children) -> task<> {
        auto child = children.spawn(number(1));
        const int first = co_await child;
        EXPECT_EQ(first, 1);
        static_cast<void>(co_await child);
      });
    }
  };
  expect_run_stops(body::all, "the value of a child is taken once");
}

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wreturn-type"
#endif
task<int> forgets_its_value(bool knows) {
  if (knows) co_return 1;
}

TEST(misuse, a_task_that_ends_without_its_value) {
  struct body {
    static task<> all() { static_cast<void>(co_await forgets_its_value(loop() == nullptr)); }
  };
  expect_run_stops(body::all, "co_return VALUE");
}

TEST(misuse, an_event_destroyed_while_a_task_waits) {
  struct body {
    static task<> all() {
      outcome out;
      std::optional<event> e;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waiting(e.emplace(), out));
        e.reset();
        co_return;
      });
    }
  };
  expect_run_stops(body::all, "outlives those who wait");
}

TEST(misuse, a_channel_destroyed_while_a_task_receives) {
  struct bodies {
    static task<> receives(channel<int>& from) { static_cast<void>(co_await from.receive()); }
    static task<> all() {
      std::optional<channel<int>> c;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(receives(c.emplace(1U)));
        c.reset();
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "outlives those who wait");
}

TEST(misuse, a_channel_destroyed_while_a_task_sends) {
  struct bodies {
    static task<> sends(channel<int>& to) {
      static_cast<void>(co_await to.send(1));
      static_cast<void>(co_await to.send(2));
    }
    static task<> all() {
      std::optional<channel<int>> c;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sends(c.emplace(1U)));
        c.reset();
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "outlives those who wait");
}

// Whoever was cancelled does not wait any more.
TEST(misuse, an_event_may_go_once_its_waits_were_cancelled) {
  struct body {
    static task<> all(outcome& out) {
      event e;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(waiting(e, out));
        children.cancel();
        co_return;
      });
    }
  };
  outcome out;
  loop()->run(body::all(out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

// The engine's thread is inside of spawn() when another one comes.
TEST(misuse, a_task_spawned_on_another_thread) {
  struct bodies {
    static void* spawns(void* children) {
      static_cast<iolite::scope*>(children)->spawn(pause());
      return nullptr;
    }
    static task<> all() {
      co_await in_scope([](iolite::scope& children) -> task<> {
        pthread_t other{};
        pthread_create(&other, nullptr, spawns, &children);
        pthread_join(other, nullptr);
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "thread");
}

TEST(misuse, a_handle_used_after_it_was_moved) {
  struct bodies {
    static task<> all() {
      co_await in_scope([](iolite::scope& children) -> task<> {
        auto handle = children.spawn([]() -> task<> { co_return; });
        auto other = std::move(handle);
        static_cast<void>(handle.done());  // NOLINT(bugprone-use-after-move)
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "handle is not used after it was moved");
}

TEST(misuse, two_servers_that_receive_the_signals) {
  expect_stops(
      [] {
        serve_stop stop;
        serve_options o{.model = "poll", .listen = {"127.0.0.1:0"}, .stop = &stop};
        o.on_listening = [](const model_choice&, const std::vector<endpoint>&) {
          const auto handle = [](stream) -> task<> { co_return; };
          static_cast<void>(serve(handle, {.model = "poll", .listen = {"127.0.0.1:0"}}));
        };
        static_cast<void>(serve([](stream) -> task<> { co_return; }, o));
      },
      "one serve() at a time receives SIGINT");
}

TEST(misuse, a_scope_cancelled_on_another_thread) {
  struct bodies {
    static void* cancels(void* children) {
      static_cast<iolite::scope*>(children)->cancel();
      return nullptr;
    }
    static task<> all() {
      co_await in_scope([](iolite::scope& children) -> task<> {
        pthread_t other{};
        pthread_create(&other, nullptr, cancels, &children);
        pthread_join(other, nullptr);
        co_return;
      });
    }
  };
  expect_run_stops(bodies::all, "thread");
}

}  // namespace
}  // namespace iolite_test

// A signal handler on another thread, and the end of what it tells.
#include "serve/signals.hpp"
#include "kernel/thread_state.hpp"
#include "loops.hpp"

#include <csignal>
#include <iolite/signals.hpp>
#include <memory>
#include <thread>

namespace interleavings {
namespace {

using iolite::task;

class Signals : public each_loop {};

task<void> wait_on(iolite::stop_latch& l) { co_await l.wait(); }

// The kernel gives a signal of the process to any thread, and it may come as everything ends.
TEST_P(Signals, TheLatchAndTheEngineEndBeforeAHandlerDoes) {
  expect_holds({.preemptions = 3, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto latch = std::make_unique<iolite::stop_latch>();
    std::thread handler;
    {
      const iolite::stop_signals signals(os, *latch, true);
      handler = std::thread([&] { iolite::caught_signals::of(os).take(os, SIGTERM); });
      engine->run(wait_on(*latch));
    }
    latch.reset();
    engine.reset();
    handler.join();
  });
}

TEST(SignalsOnPoll, AHandlerThatComesLateFindsNobody) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [] {
    eventfds os;
    auto latch = std::make_unique<iolite::stop_latch>();
    std::thread handler;
    {
      const iolite::stop_signals signals(os, *latch, true);
      handler = std::thread([&] { iolite::caught_signals::of(os).take(os, SIGTERM); });
    }
    latch.reset();
    handler.join();
  });
}

// Of the process whose kernel is `os`.
std::unique_ptr<iolite::signals> catch_hang_up(eventfds& os) {
  iolite::state_of_thread().simulated = &os;
  auto made = std::make_unique<iolite::signals>(std::initializer_list<int>{SIGHUP});
  iolite::state_of_thread().simulated = nullptr;
  return made;
}

task<int> next_of(iolite::signals& from) { co_return (co_await from.next()).value_or(0); }

// It comes before the task waits, or after, or as it begins to.
TEST_P(Signals, AnObjectAndTheEngineEndBeforeTheHandlerThatToldThem) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto caught = catch_hang_up(os);
    std::thread handler([&] { iolite::caught_signals::of(os).take(os, SIGHUP); });
    check(engine->run(next_of(*caught)) == SIGHUP, "the signal");
    caught.reset();
    engine.reset();
    handler.join();
  });
}

// Whichever is first: the signal was taken, or it is there for the next one.
TEST_P(Signals, ACancelMeetsASignal) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto caught = catch_hang_up(os);
    std::thread cancels([&] { engine->request_cancel(); });
    std::thread handler([&] { iolite::caught_signals::of(os).take(os, SIGHUP); });
    const bool told = engine->run(next_of(*caught)) == SIGHUP;
    cancels.join();
    handler.join();
    if (!told) check(engine->run(next_of(*caught)) == SIGHUP, "the signal is kept");
    caught.reset();
  });
}

task<void> wait_on_two(iolite::signals& from, int& a, int& b) {
  iolite::detail::bare_scope children;
  const auto one = [](iolite::signals& s, int& out) -> task<void> {
    out = (co_await s.next()).value_or(0);
  };
  children.spawn(one(from, a));
  auto second = children.spawn(one(from, b));
  second.cancel();
  co_await children.join();
}

// A cancel takes all who wait out for a moment.
TEST(SignalsOnPoll, ASignalFindsWhoWaitsBesideACancelledOne) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    auto engine = make_engine(os, loop::poll);
    auto caught = catch_hang_up(os);
    std::thread handler([&] { iolite::caught_signals::of(os).take(os, SIGHUP); });
    int a = 0, b = 0;
    engine->run(wait_on_two(*caught, a, b));
    check(a == SIGHUP, "whoever was not cancelled is told");
    handler.join();
    caught.reset();
  });
}

EXPLORED_ON_EACH_LOOP(Signals);

}  // namespace
}  // namespace interleavings

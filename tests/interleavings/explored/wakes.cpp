// What other threads do to an engine: post() to its operations, wake() it, ask it to cancel.
#include "loops.hpp"
#include "serve/stop.hpp"

#include <iolite/ready.hpp>

#include <thread>

namespace interleavings {
namespace {

using iolite::task;

class Wakes : public each_loop {};

task<bool> wait_for(iolite::event& e) { co_return (co_await e.wait()).has_value(); }

// A lost wake-up would be a dead-lock, a second completion breaks a rule.
TEST_P(Wakes, AnEventSetByAnotherThreadIsSeen) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::event e;
    std::thread other([&] { e.set(); });
    check(engine->run(wait_for(e)), "the wait ends well");
    other.join();
  });
}

task<void> wait_for_both(iolite::event& a, iolite::event& b) {
  iolite::detail::bare_scope children;
  const auto one = [](iolite::event& e) -> task<void> { static_cast<void>(co_await e.wait()); };
  children.spawn(one(a));
  children.spawn(one(b));
  co_await children.join();
}

// Children of a blocking engine are threads: see scopes.cpp.
TEST(WakesOnPoll, EventsSetByTwoThreadsAreBothSeen) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [] {
    eventfds os;
    const auto engine = make_engine(os, loop::poll);
    iolite::event a, b;
    std::thread first([&] { a.set(); });
    std::thread second([&] { b.set(); });
    engine->run(wait_for_both(a, b));
    first.join();
    second.join();
  });
}

// Set twice, while the loop may be anywhere between two waits.
task<void> wait_twice(iolite::event& a, iolite::event& b) {
  static_cast<void>(co_await a.wait());
  static_cast<void>(co_await b.wait());
}

TEST_P(Wakes, OneAfterTheOtherIsSeen) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::event a, b;
    std::thread other([&] {
      a.set();
      b.set();
    });
    engine->run(wait_twice(a, b));
    other.join();
  });
}

// The event may go as soon as who waited for it has been told.
TEST_P(Wakes, AnEventEndsWithItsWait) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    auto e = std::make_unique<iolite::event>();
    std::thread other([p = e.get()] { p->set(); });
    check(engine->run(wait_for(*e)), "the wait ends well");
    other.join();
    e.reset();
  });
}

TEST_P(Wakes, ACancelFromElsewhereEndsAWait) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::event never_set;
    std::thread other([&] { engine->request_cancel(); });
    check(!engine->run(wait_for(never_set)), "the wait was cancelled");
    other.join();
  });
}

task<bool> wait_for_descriptor(int fd) {
  co_return (co_await iolite::ready(fd, iolite::interest::read)).has_value();
}

// The engine may have taken the wake-up of the first when the second comes.
TEST_P(Wakes, ACancelAfterAWakeEndsAWaitForADescriptor) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    const int silent = os.eventfd(0, 0);
    std::thread other([&] {
      engine->wake();
      engine->request_cancel();
    });
    check(!engine->run(wait_for_descriptor(silent)), "the wait was cancelled");
    other.join();
  });
}

// Whichever comes first: the operation completes once.
TEST_P(Wakes, ACancelAndAnEventMeet) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::event e;
    std::thread sets([&] { e.set(); });
    std::thread cancels([&] { engine->request_cancel(); });
    static_cast<void>(engine->run(wait_for(e)));
    sets.join();
    cancels.join();
  });
}

task<void> wait_on(iolite::stop_latch& l) { co_await l.wait(); }

TEST_P(Wakes, AStopIsLatchedAndSeen) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::stop_latch latch;
    std::thread other([&] { latch.request(); });
    engine->run(wait_on(latch));
    check(latch.asked(), "a stop was asked for");
    other.join();
  });
}

// The one who was told to stop may destroy the engine at once, whoever is still asking.
TEST_P(Wakes, TheEngineEndsBeforeAStopRequestDoes) {
  expect_holds({.preemptions = 3, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    iolite::stop_latch latch;
    std::thread other([&] { latch.request(); });
    engine->run(wait_on(latch));
    engine.reset();
    other.join();
  });
}

TEST(WakesOnPoll, TheEngineEndsBeforeEitherOfTwoStopRequestsDoes) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    auto engine = make_engine(os, loop::poll);
    iolite::stop_latch latch;
    std::thread one([&] { latch.request(); });
    std::thread two([&] { latch.request(); });
    engine->run(wait_on(latch));
    engine.reset();
    one.join();
    two.join();
  });
}

TEST_P(Wakes, TwoWhoStopAndACancelMeet) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    const auto engine = make_engine(os, on);
    iolite::stop_latch latch;
    std::thread stops([&] { latch.request(); });
    std::thread both([&] {
      engine->request_cancel();
      latch.request();
    });
    engine->run(wait_on(latch));
    stops.join();
    both.join();
  });
}

EXPLORED_ON_EACH_LOOP(Wakes);

}  // namespace
}  // namespace interleavings

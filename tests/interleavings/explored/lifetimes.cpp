// What is notified goes first: nobody waits for the thread that notifies before the event, channel,
// scope or engine ends. Who has been told may end all of them at once.
#include "loops.hpp"

#include <iolite/channel.hpp>
#include <iolite/offload.hpp>
#include <thread>

namespace interleavings {
namespace {

using iolite::task;

class Lifetimes : public each_loop {};

task<bool> wait_for(iolite::event& e) { co_return (co_await e.wait()).has_value(); }

TEST_P(Lifetimes, AnEventAndItsEngineGoOnceTheWaitHasEnded) {
  expect_holds({}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto e = std::make_unique<iolite::event>();
    std::thread other([p = e.get()] { p->set(); });
    check(engine->run(wait_for(*e)), "the wait ends well");
    e.reset();
    engine.reset();
    other.join();
  });
}

// The cancel ends the wait, or the event does: only then is it known that set() was called.
TEST_P(Lifetimes, AnEventGoesThoughACancelCameToo) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto e = std::make_unique<iolite::event>();
    std::thread cancels([p = engine.get()] { p->request_cancel(); });
    std::thread sets([p = e.get()] { p->set(); });
    const bool was_set = engine->run(wait_for(*e));
    if (was_set) e.reset();
    cancels.join();
    engine.reset();
    sets.join();
  });
}

task<int> receive_one(iolite::channel<int>& from) {
  co_return (co_await from.receive()).value_or(0);
}

TEST_P(Lifetimes, AChannelAndItsEngineGoOnceItsValueIsThere) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto values = std::make_unique<iolite::channel<int>>(1);
    std::thread other([p = values.get()] { static_cast<void>(p->try_send(7)); });
    check(engine->run(receive_one(*values)) == 7, "the value");
    values.reset();
    engine.reset();
    other.join();
  });
}

TEST_P(Lifetimes, AChannelGoesOnceItIsSeenToBeClosed) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds os;
    auto engine = make_engine(os, on);
    auto values = std::make_unique<iolite::channel<int>>(1);
    std::thread other([p = values.get()] { p->close(); });
    check(engine->run(receive_one(*values)) == 0, "closed");
    values.reset();
    engine.reset();
    other.join();
  });
}

task<int> call_once() {
  co_return *co_await iolite::offload([] { return 1; });
}

TEST_P(Lifetimes, AnEngineGoesOnceItsCallIsBack) {
  expect_holds({}, [on = GetParam()] {
    eventfds& os =
        *new eventfds;  // helpers outlive the engine, and no kernel ends before its threads
    auto engine = make_engine(os, on);
    check(engine->run(call_once()) == 1, "the answer");
    engine.reset();
  });
}

// --- children that are threads, and the scope that goes when they have ended ---

task<void> set(iolite::event& e) {
  e.set();
  co_return;
}
task<void> nothing() { co_return; }

task<void> scope_of_two(int& ended) {
  const auto child = [](int& n) -> task<void> {
    ++n;
    co_return;
  };
  int first = 0, second = 0;
  co_await iolite::in_scope([&](iolite::scope& children) -> task<void> {
    children.spawn(child(first));
    children.spawn(child(second));
    co_return;
  });
  ended = first + second;
}

TEST(LifetimesOfScopes, AScopeAndItsEngineGoOnceTheChildrenHaveEnded) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    int ended = 0;
    auto engine = make_engine(os, loop::blocking);
    engine->run(scope_of_two(ended));
    engine.reset();
    check(ended == 2, "both children");
  });
}

// A child that has ended gives its engine back, and a cancel may be on its way to it.
task<void> cancel_who_has_ended() {
  co_await iolite::in_scope([&](iolite::scope& children) -> task<void> {
    children.spawn(nothing());
    children.cancel();
    co_return;
  });
}

TEST(LifetimesOfScopes, ACancelMeetsChildrenThatEnd) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [] {
    eventfds os;
    make_engine(os, loop::blocking)->run(cancel_who_has_ended());
  });
}

// What the children refer to is in the frame of the body.
task<bool> an_event_of_the_body() {
  bool seen = false;
  co_await iolite::in_scope([&](iolite::scope& children) -> task<void> {
    iolite::event e;
    children.spawn(set(e));
    seen = (co_await e.wait()).has_value();
    co_await children.join();
  });
  co_return seen;
}

TEST(LifetimesOfScopes, AnEventOfTheBodyGoesOnceItsChildrenAreJoined) {
  expect_holds({.preemptions = 4, .stale_reads = 0}, [] {
    eventfds os;
    check(make_engine(os, loop::blocking)->run(an_event_of_the_body()), "it was set");
  });
}

// One after the other in one scope: each that ends joins the one before.
task<void> one_after_the_other(int& ended) {
  co_await iolite::in_scope([&](iolite::scope& children) -> task<void> {
    for (int i = 0; i < 3; ++i) {
      iolite::event over;
      children.spawn([&]() -> task<void> {
        ++ended;
        over.set();
        co_return;
      });
      static_cast<void>(co_await over.wait());
    }
  });
}

TEST(LifetimesOfScopes, ChildrenOneAfterTheOtherAreJoinedOnce) {
  expect_holds({.preemptions = 2, .stale_reads = 0}, [] {
    eventfds os;
    int ended = 0;
    make_engine(os, loop::blocking)->run(one_after_the_other(ended));
    check(ended == 3, "all have ended");
  });
}

task<void> throws_between_spawn_and_join(iolite::event& never_set) {
  co_await iolite::in_scope([&](iolite::scope& children) -> task<void> {
    children.spawn([&]() -> task<void> { static_cast<void>(co_await never_set.wait()); });
    throw 7;
    co_return;
  });
}

TEST(LifetimesOfScopes, AnExceptionOfTheBodyEndsAChildThatIsAThread) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [] {
    eventfds os;
    iolite::event never_set;
    bool thrown = false;
    try {
      make_engine(os, loop::blocking)->run(throws_between_spawn_and_join(never_set));
    } catch (int) {
      thrown = true;
    }
    check(thrown, "the exception comes out");
  });
}

EXPLORED_ON_EACH_LOOP(Lifetimes);

}  // namespace
}  // namespace interleavings

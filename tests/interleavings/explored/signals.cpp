// A signal handler on another thread, and the end of what it tells.
#include "serve/signals.hpp"
#include "loops.hpp"

#include <csignal>
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
      const iolite::stop_signals signals(os, *latch, false);
      handler = std::thread([&] { iolite::signal_meaning::of(os).take(SIGTERM); });
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
      const iolite::stop_signals signals(os, *latch, false);
      handler = std::thread([&] { iolite::signal_meaning::of(os).take(SIGTERM); });
    }
    latch.reset();
    handler.join();
  });
}

EXPLORED_ON_EACH_LOOP(Signals);

}  // namespace
}  // namespace interleavings

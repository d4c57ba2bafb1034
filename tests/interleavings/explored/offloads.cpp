// Calls handed to helper threads, and back.
#include "kernel/thread_state.hpp"
#include "loops.hpp"

#include <iolite/offload.hpp>
#include <iolite/worker_pool.hpp>
#include <memory>
#include <thread>

namespace interleavings {
namespace {

using iolite::task;

class Offloads : public each_loop {};

// Helpers outlive the engine, and no kernel ends before its threads.
eventfds& lasting_kernel() { return *new eventfds; }

task<int> call_twice() {
  const auto first = co_await iolite::offload([] { return 1; });
  const auto second = co_await iolite::offload([] { return 2; });
  co_return *first * 10 + *second;
}

// The engine ends at once after the last answer: the helper must be done with it.
TEST_P(Offloads, AnswersComeBackAndTheEngineMayEnd) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds& os = lasting_kernel();
    const auto engine = make_engine(os, on);
    check(engine->run(call_twice()) == 12, "both answers");
  });
}

task<bool> call_once(int& calls) {
  co_return (co_await iolite::offload([&] { ++calls; })).has_value();
}

TEST_P(Offloads, ACancelMeetsACall) {
  expect_holds({.preemptions = 4, .stale_reads = 1}, [on = GetParam()] {
    eventfds& os = lasting_kernel();
    int calls = 0;
    const auto engine = make_engine(os, on);
    std::thread cancels([&] { engine->request_cancel(); });
    const bool called = engine->run(call_once(calls));
    check(calls == (called ? 1 : 0), "called, or cancelled before");
    cancels.join();
  });
}

// What it uses is its own, as its helper may outlast who waits.
class owned final : public iolite::detail::owned_call {
 public:
  explicit owned(std::shared_ptr<int> calls) : calls_(std::move(calls)) {}
  void call() noexcept override { ++*calls_; }

 private:
  const std::shared_ptr<int> calls_;
};

task<bool> call_owned(std::shared_ptr<int> calls) {
  iolite::detail::offloaded_owned call(std::make_unique<owned>(std::move(calls)));
  co_return (co_await call).has_value();
}

// It is over, or cancelled in line, or left behind: in each case the engine may end at once.
TEST_P(Offloads, ACancelMeetsACallThatCanBeLeft) {
  expect_holds({.preemptions = 3, .stale_reads = 1}, [on = GetParam()] {
    eventfds& os = lasting_kernel();
    auto engine = make_engine(os, on);
    std::thread cancels([e = engine.get()] { e->request_cancel(); });
    static_cast<void>(engine->run(call_owned(std::make_shared<int>(0))));
    cancels.join();
    engine.reset();
  });
}

task<void> call_in_parallel(int& a, int& b) {
  iolite::detail::bare_scope children;
  const auto one = [](int& n) -> task<void> {
    static_cast<void>(co_await iolite::offload([&n] { ++n; }));
  };
  children.spawn(one(a));
  children.spawn(one(b));
  co_await children.join();
}

// On one loop: with three threads there are many orders.
TEST(OffloadsOnPoll, TwoCallsAtATime) {
  expect_holds({.preemptions = 4, .stale_reads = 0}, [] {
    eventfds& os = lasting_kernel();
    int a = 0, b = 0;
    const auto engine = make_engine(os, loop::poll);
    engine->run(call_in_parallel(a, b));
    check(a == 1 && b == 1, "both were called");
  });
}

task<int> call_in(iolite::worker_pool& pool) {
  co_return (co_await pool.run([] { return 7; })).value_or(0);
}

// The answer is back, and all of it may end at once, its threads as well.
TEST_P(Offloads, AWorkerPoolAndItsEngineEndOnceTheAnswerIsBack) {
  expect_holds({.preemptions = 3, .stale_reads = 0}, [on = GetParam()] {
    eventfds os;
    iolite::state_of_thread().simulated = &os;
    auto pool = std::make_unique<iolite::worker_pool>(iolite::worker_pool_options{.threads = 1});
    iolite::state_of_thread().simulated = nullptr;
    auto engine = make_engine(os, on);
    check(engine->run(call_in(*pool)) == 7, "the answer");
    engine.reset();
    pool.reset();
  });
}

EXPLORED_ON_EACH_LOOP(Offloads);

}  // namespace
}  // namespace interleavings

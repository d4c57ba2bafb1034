// What do the parts of the library cost by themselves? Nanoseconds for each task, await, deadline,
// channel hop and wake-up; no sockets. bench/README.md says what each is compared with.
#include <iolite/iolite.hpp>

#include "core/deadlines.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using benchmark::State;
using iolite::task;

// Runs a benchmark's loop as a task on an epoll engine.
void run(State& state, task<> (*body)(State&)) {
  auto on = iolite::make_engine("epoll");
  if (!on) return state.SkipWithError(on.error().message.c_str());
  (*on)->run(body(state));
}

// --- tasks ---

task<> nothing() { co_return; }
task<int> leaf(int n) { co_return n; }
task<int> nested(int n) { co_return co_await leaf(n) + 1; }

void task_create_destroy(State& state) {
  for ([[maybe_unused]] auto _ : state) {
    task<> t = nothing();
    benchmark::DoNotOptimize(t);
  }
}
BENCHMARK(task_create_destroy);

task<> await_children(State& state) {
  for ([[maybe_unused]] auto _ : state) co_await nothing();
}
void task_create_run_destroy(State& state) { run(state, await_children); }
BENCHMARK(task_create_run_destroy);

task<> await_nested(State& state) {
  int n = 0;
  for ([[maybe_unused]] auto _ : state) n = co_await nested(n);
  benchmark::DoNotOptimize(n);
}
// Two tasks: an await inside an awaited task.
void task_nested_await(State& state) { run(state, await_nested); }
BENCHMARK(task_nested_await);

task<> spawn_children(State& state) {
  co_await iolite::in_scope([&](iolite::scope& children) -> task<> {
    for ([[maybe_unused]] auto _ : state) children.spawn(nothing());
    co_return;
  });
}
// What a server does for each connection before its handler's first line.
void scope_spawn(State& state) { run(state, spawn_children); }
BENCHMARK(scope_spawn);

task<> await_bounded(State& state) {
  for ([[maybe_unused]] auto _ : state) {
    const auto n = co_await (leaf(1) | iolite::within(std::chrono::hours(1)));
    benchmark::DoNotOptimize(n);
  }
}
// A limit on a task that does not wait: beside task_create_run_destroy.
void task_within(State& state) { run(state, await_bounded); }
BENCHMARK(task_within);

task<> await_handles(State& state) {
  co_await iolite::in_scope([&](iolite::scope& children) -> task<> {
    for ([[maybe_unused]] auto _ : state) {
      auto child = children.spawn(leaf(1));
      const int n = co_await child;
      benchmark::DoNotOptimize(n);
    }
  });
}
// A child, and its value by its handle: beside scope_spawn.
void scope_spawn_and_await(State& state) { run(state, await_handles); }
BENCHMARK(scope_spawn_and_await);

task<> await_ready_values(State& state) {
  for ([[maybe_unused]] auto _ : state) {
    const iolite::context c = co_await iolite::here{};
    benchmark::DoNotOptimize(c.on);
  }
}
void await_ready(State& state) { run(state, await_ready_values); }
BENCHMARK(await_ready);

task<> await_set_event(State& state) {
  iolite::event already;
  already.set();
  for ([[maybe_unused]] auto _ : state) {
    auto wait = already.wait();
    benchmark::DoNotOptimize(co_await wait);
  }
}
void await_event_already_set(State& state) { run(state, await_set_event); }
BENCHMARK(await_event_already_set);

task<> await_bounded_event(State& state) {
  iolite::event already;
  already.set();
  for ([[maybe_unused]] auto _ : state) {
    auto wait = already.wait();
    const auto r = co_await (wait | iolite::within(std::chrono::hours(1)));
    benchmark::DoNotOptimize(r);
  }
}
// A limit on an operation that does not wait: beside task_within and await_event_already_set.
void operation_within(State& state) { run(state, await_bounded_event); }
BENCHMARK(operation_within);

// One of two receives has a byte.
task<> await_receives(State& state, bool both) {
  const iolite::context c = co_await iolite::here{};
  int fds[2][2];
  for (auto& pair : fds) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) co_return;
  }
  iolite::stream a(*c.on, fds[0][0], false);
  iolite::stream b(*c.on, fds[1][0], false);
  std::array<std::byte, 1> of_a{}, of_b{};
  for ([[maybe_unused]] auto _ : state) {
    if (write(fds[0][1], "x", 1) < 0) break;
    if (both) {
      const auto any = co_await iolite::when_any(b.recv(of_b), a.recv(of_a));
      benchmark::DoNotOptimize(any.index);
    } else {
      const auto n = co_await a.recv(of_a);
      benchmark::DoNotOptimize(n);
    }
  }
  close(fds[0][1]);
  close(fds[1][1]);
}
task<> await_one_receive(State& state) { return await_receives(state, false); }
task<> await_any_receive(State& state) { return await_receives(state, true); }
// A write and a receive of a byte, and the same with when_any() of two receives.
void receive_one(State& state) { run(state, await_one_receive); }
BENCHMARK(receive_one);
void receive_any(State& state) { run(state, await_any_receive); }
BENCHMARK(receive_any);

task<> sleep_shortly(State& state) {
  for ([[maybe_unused]] auto _ : state) {
    auto shortly = iolite::sleep(std::chrono::microseconds(1));
    benchmark::DoNotOptimize(co_await shortly);
  }
}
// How long a sleep of a microsecond takes: the tick of the deadlines, and what the facility
// rounds to.
void shortest_sleep(State& state) { run(state, sleep_shortly); }
BENCHMARK(shortest_sleep)->UseRealTime();

// --- deadlines ---

// Pseudo-random times within 1,000 seconds, the same in every run.
class times {
 public:
  iolite::clock::time_point next() {
    x_ ^= x_ << 13, x_ ^= x_ >> 7, x_ ^= x_ << 17;
    return iolite::clock::time_point(std::chrono::microseconds(x_ % 1'000'000'000));
  }

 private:
  std::uint64_t x_ = 88172645463325252;
};

// Arms and cancels one while state.range(0) others are in.
void deadline_add_remove(State& state) {
  times when;
  iolite::deadlines wheel;
  std::vector<iolite::operation> others(static_cast<std::size_t>(state.range(0)));
  for (iolite::operation& op : others) op.deadline = when.next(), wheel.add(op);
  std::vector<iolite::operation> armed(1024);
  for (iolite::operation& op : armed) op.deadline = when.next();
  std::size_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    iolite::operation& op = armed[i++ % armed.size()];
    wheel.add(op);
    wheel.remove(op);
  }
  for (iolite::operation& op : others) wheel.remove(op);
}
BENCHMARK(deadline_add_remove)->Arg(1)->Arg(1'000'000);

// A million in, one of them after the other is cancelled and armed anew, as a request does it.
void deadline_move(State& state) {
  times when;
  iolite::deadlines wheel;
  std::vector<iolite::operation> all(static_cast<std::size_t>(state.range(0)));
  for (iolite::operation& op : all) op.deadline = when.next(), wheel.add(op);
  std::size_t i = 0;
  for ([[maybe_unused]] auto _ : state) {
    iolite::operation& op = all[i];
    i = (i + 7919) % all.size();
    wheel.remove(op);
    op.deadline = when.next();
    wheel.add(op);
  }
  for (iolite::operation& op : all) wheel.remove(op);
}
BENCHMARK(deadline_move)->Arg(1'000'000);

// As many as state.range(0), armed for any time within a second: what it costs that one is over.
void deadline_fire(State& state) {
  using namespace std::chrono_literals;
  times when;
  iolite::deadlines wheel;
  std::vector<iolite::operation> all(static_cast<std::size_t>(state.range(0)));
  iolite::clock::time_point start{};
  std::int64_t fired = 0;
  for ([[maybe_unused]] auto _ : state) {
    state.PauseTiming();
    for (iolite::operation& op : all) {
      op.deadline = start + (when.next().time_since_epoch() % 1s);
      wheel.add(op);
    }
    state.ResumeTiming();
    for (; !wheel.empty(); start += 1ms) {
      while (wheel.expired(start)) ++fired;
    }
  }
  state.SetItemsProcessed(fired);
}
BENCHMARK(deadline_fire)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// --- between tasks ---

task<> answer(iolite::channel<int>& in, iolite::channel<int>& out) {
  for (;;) {
    const auto n = co_await in.receive();
    if (!n) co_return;
    static_cast<void>(co_await out.send(*n));
  }
}

task<> ask(State& state, iolite::channel<int>& out, iolite::channel<int>& in) {
  for ([[maybe_unused]] auto _ : state) {
    static_cast<void>(co_await out.send(1));
    benchmark::DoNotOptimize(co_await in.receive());
  }
  out.close();
}

task<> hop_here(State& state) {
  iolite::channel<int> there(1);
  iolite::channel<int> back(1);
  co_await iolite::in_scope([&](iolite::scope& children) -> task<> {
    children.spawn(answer(there, back));
    co_await ask(state, there, back);
  });
}
// There and back between two tasks of one loop: two hops.
void channel_round_trip(State& state) { run(state, hop_here); }
BENCHMARK(channel_round_trip);

// The same between two loops on two threads: each hop wakes the other thread.
void cross_thread_round_trip(State& state) {
  iolite::channel<int> there(1);
  iolite::channel<int> back(1);
  std::thread other([&] {
    auto on = iolite::make_engine("epoll");
    if (on) (*on)->run(answer(there, back));
  });
  auto on = iolite::make_engine("epoll");
  if (on) (*on)->run(ask(state, there, back));
  other.join();
}
BENCHMARK(cross_thread_round_trip)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();

// Three tasks that wait, run in three ways: in turn, in three threads, in one event loop.
//
// A program that talks to others mostly waits. In turn, the waits add up. Threads wait side by
// side, at the price of a thread for each task. An event loop waits for all of them in one thread:
// while a task waits, its thread does something else. A task's code is the same each time.
//
// Run it: `three_tasks`, and the same with --wait-ms 100 or --model poll.
#include "support/engines.hpp"
#include "support/options.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <set>
#include <thread>

namespace {

struct record {
  iolite::clock::time_point begin, end;
  std::thread::id thread;
};
using records = std::array<record, 3>;

iolite::task<> wait(record& mine, iolite::clock::duration length) {
  mine.begin = iolite::clock::now();
  mine.thread = std::this_thread::get_id();
  static_cast<void>(co_await iolite::sleep(length));  // stands for a database, or another server
  mine.end = iolite::clock::now();
}

iolite::task<> in_turn(records& all, iolite::clock::duration length) {
  for (record& one : all) co_await wait(one, length);
}

// On a blocking engine each child of a scope is a thread; on an event loop it is not.
iolite::task<> side_by_side(records& all, iolite::clock::duration length) {
  co_await iolite::in_scope([&](iolite::scope& tasks) -> iolite::task<> {
    for (record& one : all) tasks.spawn(wait(one, length));
    co_return;
  });
}

void show(std::string_view name, const records& all, iolite::clock::duration length) {
  constexpr int columns_for_each = 16;
  std::set<std::thread::id> threads;
  auto start = all[0].begin, end = all[0].end;
  for (const record& one : all) {
    threads.insert(one.thread);
    start = std::min(start, one.begin);  // of threads, any may be the first
    end = std::max(end, one.end);
  }
  const auto ms = [&](auto t) { return (t - start) / std::chrono::milliseconds(1); };
  const auto column = [&](auto t) { return (t - start) * columns_for_each / length; };
  fmt::print("{}: {} ms, threads {}\n", name, ms(end), threads.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto from = static_cast<std::size_t>(column(all[i].begin));
    const auto to = static_cast<std::size_t>(column(all[i].end));
    fmt::print("  task {} |{}{} {} to {} ms\n", i + 1, std::string(from, ' '),
               std::string(to - from, '#'), ms(all[i].begin), ms(all[i].end));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string model = "auto";
  int wait_ms = 300;
  tutorial::parse(
      argc, argv, "three tasks that wait, in turn and at once",
      {{"--model", &model, "of the event loop"}, {"--wait-ms", &wait_ms, "how long each waits"}});
  if (wait_ms < 1) tutorial::fail("--wait-ms is 1 or more");
  const auto length = std::chrono::milliseconds(wait_ms);
  const auto loop = tutorial::event_loop_of(model);
  const auto threads = tutorial::engine_of("blocking");
  records all;
  loop->run(in_turn(all, length));
  show("in turn", all, length);
  threads->run(side_by_side(all, length));
  show("three threads", all, length);
  loop->run(side_by_side(all, length));
  show("one event loop", all, length);
}

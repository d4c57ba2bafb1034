// Scenarios of tasks: scopes, channels, events, timers, threads, exceptions.
#include "pieces.hpp"

#include "models/backends.hpp"

#include <stdexcept>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

struct closed_at_the_end {
  channel<int>& it;
  ~closed_at_the_end() { it.close(); }
};

task<> produce(channel<int>& to) {
  const closed_at_the_end whatever_happens{to};
  for (int i = 0; i < 5; ++i) {
    const auto r = co_await to.send(i);
    if (!r) break;
  }
}
task<> consume(channel<int>& from) {
  for (;;) {
    const auto v = co_await from.receive();
    if (!v) break;
  }
}
task<> hop() {
  channel<int> c(1);
  co_await in_scope([&](iolite::scope& s) -> task<> {
    const closed_at_the_end whatever_happens{c};
    start(s, produce(c));
    start(s, consume(c));
    co_await sleep(1ms);
  });
}
void channel_hop(engine& on) { on.run(hop()); }

task<> many_to_many() {
  channel<int> c(2);
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (int i = 0; i < 3; ++i) {
      start(s, [](channel<int>& to, int n) -> task<> {
        static_cast<void>(co_await to.send(n));
      }(c, i));
    }
    for (int i = 0; i < 2; ++i) start(s, consume(c));
    co_await sleep(1ms);
    c.close();
  });
}
void channel_of_many(engine& on) { on.run(many_to_many()); }

// A thread with an engine of its own sends; both use the same kernel.
void channel_across_threads(engine& on) {
  channel<int> c(2);
  struct joined {
    channel<int>& c;
    std::thread other;
    ~joined() {
      c.close();
      if (other.joinable()) other.join();
    }
  };
  joined there{c, {}};
  there.other = std::thread([&os = on.os(), name = std::string(on.name()), &c] {
    try {
      if (auto own = make_engine_on(os, name)) (*own)->run(produce(c));
    } catch (const std::exception&) {
    }
    c.close();
  });
  on.run(consume(c));
}

task<> wait_bounded(event& e) { static_cast<void>(co_await (e.wait() | within{patience})); }
task<> set_an_event() {
  event e;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    for (int i = 0; i < 3; ++i) start(s, wait_bounded(e));
    co_await sleep(1ms);
    e.set();
  });
}
void event_for_three(engine& on) { on.run(set_an_event()); }

task<> wait_in_vain() {
  event e;
  static_cast<void>(co_await (e.wait() | within{2ms}));
}
void event_times_out(engine& on) { on.run(wait_in_vain()); }

void event_from_a_thread(engine& on) {
  event e;
  std::jthread other([&e] { e.set(); });
  on.run(wait_bounded(e));
}

void wake_from_a_thread(engine& on) {
  std::jthread other([&on] {
    for (int i = 0; i < 20; ++i) on.wake();
  });
  on.run([]() -> task<> { co_await sleep(1ms); }());
}

void cancelled_from_a_thread(engine& on) {
  half_pair p = unix_half(on);
  outcome out;
  std::jthread other([&on] { on.request_cancel(); });
  on.run(listen_to(std::move(p.ours), out));
}

task<> pause_for(clock::duration length) { co_await sleep(length); }
task<> many_sleeps() {
  return in_scope([](iolite::scope& s) -> task<> {
    for (int i = 0; i < 40; ++i) {
      if (!start(s, pause_for(std::chrono::microseconds(50 * i)))) break;
    }
    co_return;
  });
}
void many_timers(engine& on) { on.run(many_sleeps()); }

task<> far_and_near() {
  return in_scope([](iolite::scope& s) -> task<> {
    start(s, pause_for(std::chrono::hours(24 * 3650)));
    start(s, pause_for(clock::duration::max()));
    static_cast<void>(co_await sleep_until(clock::time_point::min()));
    s.cancel();
  });
}
void far_timers(engine& on) { on.run(far_and_near()); }

task<> throws(int n) {
  co_await sleep(std::chrono::microseconds(100));
  throw std::runtime_error("child " + std::to_string(n));
}
task<> let_it_throw() {
  return in_scope([](iolite::scope& s) -> task<> {
    for (int i = 0; i < 3; ++i) start(s, throws(i));
    co_return;
  });
}
void exceptions_through_a_scope(engine& on) { on.run(let_it_throw()); }

task<int> deep(int n) {
  if (n == 0) throw std::runtime_error("the bottom");
  co_return 1 + co_await deep(n - 1);
}
void exception_through_tasks(engine& on) { static_cast<void>(on.run(deep(20))); }

task<> tree(int depth) {
  if (depth == 0) co_return;
  co_await in_scope([depth](iolite::scope& s) -> task<> {
    for (int i = 0; i < 2; ++i) start(s, tree(depth - 1));
    co_return;
  });
}
void children_of_children(engine& on) { on.run(tree(2)); }

task<> wait_for_ever_in_a_scope() {
  event never_set;
  co_await in_scope([&](iolite::scope& s) -> task<> {
    start(s, [](event& e) -> task<> { static_cast<void>(co_await e.wait()); }(never_set));
    co_return;
  });
}
task<> cancel_the_outer_scope() {
  return in_scope([](iolite::scope& s) -> task<> {
    start(s, wait_for_ever_in_a_scope());
    co_await sleep(1ms);
    s.cancel();
  });
}
void nested_scopes_cancelled(engine& on) { on.run(cancel_the_outer_scope()); }

void engines_side_by_side(engine& on) {
  for (int i = 0; i < 3; ++i) {
    auto another = make_engine_on(on.os(), on.name());
    if (another) (*another)->run(pause_for(std::chrono::microseconds(100)));
  }
}

task<> look(int fd) {
  co_await (ready(fd, interest::write) | within{patience});
  co_await (ready(fd, interest::read) | within{2ms});
}
void foreign_descriptor(engine& on) {
  const raw_pair p = raw_unix_pair();
  on.run(look(p.a.fd()));
}
void bad_descriptor(engine& on) { on.run(look(-1)); }

constexpr scenario scenarios[] = {
    {"channel_hop", channel_hop},
    {"channel_of_many", channel_of_many},
    {"channel_across_threads", channel_across_threads, 2},
    {"event_for_three", event_for_three},
    {"event_times_out", event_times_out},
    {"event_from_a_thread", event_from_a_thread},
    {"wake_from_a_thread", wake_from_a_thread},
    {"cancelled_from_a_thread", cancelled_from_a_thread},
    {"many_timers", many_timers, 4},
    {"far_timers", far_timers},
    {"exceptions_through_a_scope", exceptions_through_a_scope},
    {"exception_through_tasks", exception_through_tasks},
    {"children_of_children", children_of_children, 2},
    {"nested_scopes_cancelled", nested_scopes_cancelled, 2},
    {"engines_side_by_side", engines_side_by_side, 2},
    {"foreign_descriptor", foreign_descriptor},
    {"bad_descriptor", bad_descriptor},
};

}  // namespace

std::span<const scenario> task_scenarios() noexcept { return scenarios; }

}  // namespace iolite_test

// Whatever is awaited again and again and ends at once, for whatever reason: it keeps nobody from
// their turn, neither a timer nor a cancel.
#include "support/engine_test.hpp"

#include <array>
#include <atomic>

namespace iolite_test {
namespace {

using namespace iolite;

// A server that drains, and to which nothing has arrived.
struct ended_home final : iolite::detail::stream_home {
  void close(iolite::detail::stream_owner&, iolite::engine& e, int fd, bool) noexcept override {
    e.close(fd);
  }
  void released(iolite::detail::stream_owner&) noexcept override {}
  bool ending() const noexcept override { return true; }
};

struct things {
  explicit things(iolite::engine& e)
      : pair(unix_half(e)), drained(unix_half(e)),
        accepting(listener::open(e, endpoint::parse("127.0.0.1:0").value()).value()),
        closed_listener(listener::open(e, endpoint::parse("127.0.0.1:0").value()).value()),
        no_places(file::adopt(e, unix_half(e).ours.release())), refused(unused_address()) {
    drained.ours.set_owner(&owner);
    is_set.set();
    closed_channel.close();
    static_cast<void>(full.try_send(1));
    shut.close();
    closed_listener.close();
  }
  half_pair pair;
  half_pair drained;
  ended_home home;
  iolite::detail::stream_owner owner{&home};
  stream closed;
  listener accepting;
  listener closed_listener;
  file no_places;
  endpoint refused;
  event never_set, is_set;
  channel<int> empty{1}, full{1}, closed_channel{1}, both_ways{1};
  outbox shut{1}, mail{1};
  std::array<std::byte, 8> buffer{};
};

struct way {
  const char* name;
  task<> (*once)(things&);
};

// What waits, but for a cancel that came before.
const way cancelled_ways[] = {
    {"recv", [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.recv(t.buffer)); }},
    {"recv_all",
     [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.recv_all(t.buffer)); }},
    {"recv_lease",
     [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.recv_lease()); }},
    {"send_all",
     [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.send_all("text")); }},
    {"send_some",
     [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.send_some(t.buffer)); }},
    {"pieces",
     [](things& t) -> task<> {
       const piece two[] = {t.buffer, t.buffer};
       static_cast<void>(co_await t.pair.ours.send_all(two));
     }},
    {"accept", [](things& t) -> task<> { static_cast<void>(co_await t.accepting.accept()); }},
    {"connect",
     [](things& t) -> task<> { static_cast<void>(co_await stream::connect(t.refused)); }},
    {"ready",
     [](things& t) -> task<> {
       static_cast<void>(co_await ready(t.accepting.native_handle(), interest::read));
     }},
    {"sleep", [](things&) -> task<> { static_cast<void>(co_await iolite::sleep(1h)); }},
    {"event", [](things& t) -> task<> { static_cast<void>(co_await t.never_set.wait()); }},
    {"receive", [](things& t) -> task<> { static_cast<void>(co_await t.empty.receive()); }},
    {"send", [](things& t) -> task<> { static_cast<void>(co_await t.full.send(2)); }},
    {"offload", [](things&) -> task<> { static_cast<void>(co_await offload([] { return 1; })); }},
    {"finish",
     [](things& t) -> task<> {
       stream none = std::move(t.closed);
       co_await none.finish(1h);
     }},
};

// What has nothing to wait for.
const way ready_ways[] = {
    {"empty recv",
     [](things& t) -> task<> {
       static_cast<void>(co_await t.pair.ours.recv(std::span<std::byte>()));
     }},
    {"empty send",
     [](things& t) -> task<> { static_cast<void>(co_await t.pair.ours.send_all("")); }},
    {"no pieces",
     [](things& t) -> task<> {
       static_cast<void>(co_await t.pair.ours.send_all(std::span<const piece>()));
     }},
    {"closed recv",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed.recv(t.buffer)); }},
    {"closed send",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed.send_all("text")); }},
    {"closed lease",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed.recv_lease()); }},
    {"closed accept",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed_listener.accept()); }},
    {"closed ready",
     [](things&) -> task<> { static_cast<void>(co_await ready(-1, interest::read)); }},
    {"drained recv",
     [](things& t) -> task<> { static_cast<void>(co_await t.drained.ours.recv(t.buffer)); }},
    {"past sleep",
     [](things&) -> task<> {
       static_cast<void>(co_await sleep_until(iolite::clock::time_point::min()));
     }},
    {"set event", [](things& t) -> task<> { static_cast<void>(co_await t.is_set.wait()); }},
    {"closed receive",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed_channel.receive()); }},
    {"closed send to a channel",
     [](things& t) -> task<> { static_cast<void>(co_await t.closed_channel.send(1)); }},
    {"channel to oneself",
     [](things& t) -> task<> {
       static_cast<void>(co_await t.both_ways.send(1));
       static_cast<void>(co_await t.both_ways.receive());
     }},
    {"closed outbox",
     [](things& t) -> task<> { static_cast<void>(co_await t.shut.send(message("text"))); }},
    {"delivery to a closed stream",
     [](things& t) -> task<> { static_cast<void>(co_await t.mail.deliver_to(t.closed)); }},
    {"frame that is too long",
     [](things& t) -> task<> {
       frames out(t.pair.ours, {.length_bytes = 1, .max = 1});
       static_cast<void>(co_await out.send("text"));
     }},
    {"file that is closed",
     [](things& t) -> task<> {
       const file none;
       static_cast<void>(co_await send_file(t.pair.ours, none));
     }},
    {"no memory of its own", [](things&) -> task<> { co_return; }},
};

struct state {
  things& of;
  std::atomic<bool> stop = false;
  std::atomic<bool> gave_up = false;
};

// More than any engine's timer needs, and bounded: where the timer never fires, the test fails.
constexpr int turns_max = 3'000'000;

task<> again_and_again(const way& w, state& s) {
  for (int i = 0; i < turns_max && !s.stop; ++i) {
    task<> once = w.once(s.of);
    co_await once;
  }
  s.gave_up = !s.stop;
}

task<> timer(state& s) {
  auto pause = iolite::sleep(100us);
  static_cast<void>(co_await pause);
  s.stop = true;
}

task<> beside_a_timer(const way& w, state& s, bool cancelled) {
  scope others;
  scope loop;
  others.spawn(timer(s));
  if (cancelled) loop.cancel();
  loop.spawn(again_and_again(w, s));
  co_await loop.join();
  co_await others.join();
}

void check(iolite::engine& on, std::span<const way> ways, bool cancelled) {
  things t(on);
  for (const way& w : ways) {
    state s{.of = t};
    on.run(beside_a_timer(w, s, cancelled));
    EXPECT_FALSE(s.gave_up) << w.name << ": the timer beside it never fired";
  }
  t.drained.ours.close();
}

TEST_P(engine, what_is_cancelled_before_it_begins_lets_others_run) {
  check(on(), cancelled_ways, true);
}

TEST_P(engine, what_has_nothing_to_wait_for_lets_others_run) { check(on(), ready_ways, false); }

// In the loop itself: a task around each would take its turns for it.
TEST_P(engine, reads_that_are_refused_let_others_run) {
  if (traits().blocking) GTEST_SKIP() << "its thread is its own";
  struct bodies {
    static task<> loop(state& s) {
      for (int i = 0; i < turns_max && !s.stop; ++i) {
        const auto r = co_await s.of.no_places.read_at(0, s.of.buffer);
        EXPECT_FALSE(r);
      }
      s.gave_up = !s.stop;
    }
    static task<> all(state& s) {
      scope others;
      others.spawn(timer(s));
      task<> whole = loop(s);
      co_await whole;
      co_await others.join();
    }
  };
  things t(on());
  state s{.of = t};
  run(bodies::all(s));
  EXPECT_FALSE(s.gave_up) << "the timer beside them never fired";
  t.drained.ours.close();
}

// The loop does not look at its errors: the cancel of the whole program must reach it all the same.
TEST_P(engine, a_program_that_ignores_its_errors_can_be_stopped) {
  if (is_simulated()) GTEST_SKIP() << "the other thread gets a turn when this one waits";
  struct bodies {
    static task<> loop(things& t, std::atomic<bool>& stop) {
      while (!stop) static_cast<void>(co_await t.closed.recv(t.buffer));
    }
    static task<> all(things& t, std::atomic<bool>& stop) {
      scope children;
      children.spawn(loop(t, stop));
      auto end = t.never_set.wait();
      static_cast<void>(co_await end);
      stop = true;
      co_await children.join();
    }
  };
  things t(on());
  std::atomic<bool> stop = false;
  counter runs;
  other_thread from_outside([&] {
    runs.await(1);
    on().request_cancel();
  });
  runs.add_one();
  run(bodies::all(t, stop));
  from_outside.join();
  EXPECT_TRUE(stop);
}

}  // namespace
}  // namespace iolite_test

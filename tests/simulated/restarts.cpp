// Runs whose programs end while a host is down, and the clock that programs read.
#include "worlds.hpp"

#include <gtest/gtest.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr auto models = {"select",      "poll",     "epoll",   "signal",
                         "nonblocking", "blocking", "io_uring"};
constexpr auto servers = {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"};

// --- runs that end while a host is down ---

task<> nap(clock::duration length) { co_await iolite::sleep(length); }

task<> connect_and_nap(std::string to, clock::duration length) {
  auto s = co_await stream::connect(parse(to));
  simulate::check(s.has_value(), "connected");
  co_await iolite::sleep(length);
}

task<> ask_once(std::string to) {
  auto s = co_await stream::connect(parse(to));
  simulate::check(s.has_value(), "connected");
  const auto sent = co_await s->send_all("ask?");
  std::array<std::byte, 4> answer{};
  const auto got = co_await s->recv_all(answer);
  simulate::check(sent && got, "answered");
}

TEST(simulated_host, a_server_whose_host_comes_back_after_all_programs_have_ended_is_stopped) {
  for (const char* model : servers) {
    simulate::world w(1);
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
    w.run(client, model, [&] { return ask_once(server.at(7000)); });
    w.at(1s, [&] { w.crash(server); });
    w.at(5s, [&] { w.restart(server); });
    w.run(client, model, [] { return nap(2s); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_GE(r.elapsed, 5s) << "a planned restart is waited for";
    EXPECT_LT(r.elapsed, 6s);
  }
}

task<> hold_for_a_minute(stream peer) {
  static_cast<void>(peer);
  co_await iolite::sleep(1min);
}

// Another server drains meanwhile, and the host is back before it has ended.
TEST(simulated_host, a_server_that_begins_anew_while_others_drain_is_stopped) {
  for (const char* model : servers) {
    simulate::world w(1);
    const auto server = w.add_host("server"), other = w.add_host("other");
    const auto client = w.add_host("client");
    w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
    w.serve(other, hold_for_a_minute,
            {.model = model, .listen = {other.at(7000)}, .drain_timeout = 1h});
    w.run(client, model, [&] { return connect_and_nap(other.at(7000), 2s); });
    w.at(1s, [&] { w.crash(server); });
    w.at(30s, [&] { w.restart(server); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_GE(r.elapsed, 1min);
    EXPECT_LT(r.elapsed, 2min);
  }
}

TEST(simulated_host, a_program_whose_host_is_to_come_back_is_waited_for) {
  int lives = 0;
  struct body {
    static task<> live(int& lives) {
      ++lives;
      if (lives == 1) co_await iolite::sleep(1h);
    }
  };
  simulate::world w(1);
  const auto h = w.add_host("host"), other = w.add_host("other");
  w.run(h, "poll", [&] { return body::live(lives); });
  w.run(other, "poll", [] { return nap(1s); });
  w.at(500ms, [&] { w.crash(h); });
  w.at(5s, [&] { w.restart(h); });
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  EXPECT_EQ(lives, 2);
  EXPECT_GE(r.elapsed, 5s);
}

// The clock that a program reads is the one its sleeps use, also in helpers and after a leap.
TEST(simulated_host, a_program_reads_the_clock_that_its_sleeps_use) {
  struct body {
    static task<> sleep_until_later() {
      const context c = co_await here{};
      const auto begin = iolite::clock::now();
      simulate::check(begin - c.on->now() < 1ms && c.on->now() - begin < 1ms, "one clock");
      co_await iolite::sleep_until(iolite::clock::now() + 1h);
      const auto slept = iolite::clock::now() - begin;
      simulate::check(slept >= 1h && slept < 1h + 1min, "an hour of virtual time");
      const auto elsewhere = co_await iolite::offload([] { return iolite::clock::now(); });
      simulate::check(elsewhere.has_value() && *elsewhere - iolite::clock::now() < 1s &&
                          iolite::clock::now() - *elsewhere < 1s,
                      "a helper reads the same");
    }
  };
  for (const char* model : models) {
    simulate::world w(1);
    const auto early = w.add_host("early"), late = w.add_host("late");
    w.leap(late, 1000h);
    for (const auto& h : {early, late}) w.run(h, model, body::sleep_until_later);
    const auto outside = iolite::clock::now();
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_GE(r.elapsed, 1h);
    EXPECT_LT(r.elapsed, 1h + 1min);
    EXPECT_LT(iolite::clock::now() - outside, 1h) << "who drives the world is outside of it";
  }
}

}  // namespace
}  // namespace iolite_test

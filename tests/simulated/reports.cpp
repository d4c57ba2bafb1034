// What a run tells when it does not end well, and what a world does with programs that cannot end.
#include "worlds.hpp"

#include "kernel/kernel.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;
using testing::Test;

struct bodies {
  // Sleeps, then waits for an answer that nobody gives.
  static task<> wait_for_an_answer(std::string to) {
    auto s = co_await stream::connect(parse(to));
    co_await iolite::sleep(2s);
    std::array<std::byte, 100> buffer;
    simulate::check(s.has_value(), "connected");
    const auto n = co_await s->recv(buffer);
    simulate::check(n.has_value(), "recv: " + n.error().message());
  }
  static task<> say_nothing(stream peer) {
    std::array<std::byte, 64> buffer;
    static_cast<void>(co_await peer.recv(buffer));
  }
  static task<> wait_for_event(event& e) { static_cast<void>(co_await e.wait()); }
  static task<> wait_in_child(event& e) {
    scope children;
    children.spawn(wait_for_event(e));
    co_await children.join();
  }
  static task<> nothing() { co_return; }
  static task<> fail() {
    simulate::check(false, "it went wrong");
    co_return;
  }
  static task<> leak() { static_cast<void>((co_await here{}).on->os().eventfd(0, 0)); }
};

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(simulated_report, a_dead_lock_names_who_waits_for_what_and_since_when) {
  simulate::world w(5);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, bodies::say_nothing, {.model = "poll", .listen = {server.at(7000)}});
  w.run(client, "epoll", [&] { return bodies::wait_for_an_answer(server.at(7000)); });
  const auto r = w.finish();
  EXPECT_EQ(r.how, simulate::ending::dead_lock);
  EXPECT_FALSE(r.ok());
  const auto it = std::ranges::find(r.waiting, "client", &simulate::waiting::program);
  ASSERT_NE(it, r.waiting.end()) << r.to_string();
  EXPECT_TRUE(has(it->operation, "recv fd=")) << it->operation;
  EXPECT_TRUE(has(it->operation, "0/100")) << it->operation;
  EXPECT_TRUE(has(it->on, "to 10.0.0.1:7000")) << it->on;
  EXPECT_GE(it->since, 2s);
  EXPECT_LT(it->since, 2s + 20ms);
  EXPECT_TRUE(has(r.to_string(), "dead-lock"));
  EXPECT_TRUE(has(r.to_string(), "server waits since 0.00")) << r.to_string();
}

TEST(simulated_report, tasks_that_wait_for_each_other_are_a_dead_lock) {
  for (const char* model :
       {"select", "poll", "epoll", "signal", "nonblocking", "blocking", "io_uring"}) {
    simulate::world w(1);
    event never_set;
    w.run(w.add_host("a"), model, [&] { return bodies::wait_in_child(never_set); });
    const auto r = w.finish();
    EXPECT_EQ(r.how, simulate::ending::dead_lock) << model;
    EXPECT_EQ(r.waiting.size(), 2U) << r.to_string();
  }
}

TEST(simulated_report, programs_may_share_events) {
  simulate::world w(1);
  event e;
  struct setter {
    static task<> set_later(event& of) {
      co_await iolite::sleep(1s);
      of.set();
    }
  };
  w.run(w.add_host("a"), "epoll", [&] { return bodies::wait_for_event(e); });
  w.run(w.add_host("b"), "blocking", [&] { return bodies::wait_for_event(e); });
  w.run(w.add_host("c"), "poll", [&] { return setter::set_later(e); });
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
}

TEST(simulated_report, a_program_that_throws_is_named) {
  simulate::world w(1);
  const auto h = w.add_host("host");
  w.run(h, "epoll", bodies::fail, "the failing one");
  w.run(h, "epoll", bodies::nothing);
  const auto r = w.finish();
  EXPECT_EQ(r.failures, std::vector<std::string>{"the failing one: it went wrong"});
}

TEST(simulated_report, a_descriptor_left_open_is_named) {
  simulate::world w(1);
  w.run(w.add_host("host"), "poll", bodies::leak);
  const auto r = w.finish();
  ASSERT_EQ(r.leaks.size(), 1U);
  EXPECT_TRUE(has(r.leaks[0], "eventfd")) << r.leaks[0];
  EXPECT_FALSE(r.ok());
}

TEST(simulated_report, what_is_not_simulated_is_refused_in_words) {
  simulate::world w(1);
  const auto h = w.add_host("host");
  w.run(h, "posix_aio", bodies::nothing);
  w.run(h, "epoll/pool", bodies::nothing);
  w.run(h, "nonsense", bodies::nothing);
  w.serve(h, give_back, {.model = "blocking/shared"});
  w.serve(h, give_back, {.model = "poll/everywhere"});
  const auto r = w.finish();
  ASSERT_EQ(r.failures.size(), 5U);
  EXPECT_TRUE(has(r.failures[0], "'posix_aio' is not simulated"));
  EXPECT_TRUE(has(r.failures[1], "'pool' is not simulated"));
  EXPECT_TRUE(has(r.failures[3], "one client at a time"));
  EXPECT_TRUE(has(r.failures[4], "no placement 'everywhere'"));
}

TEST(simulated_report, a_world_that_was_never_run_ends_quietly) {
  simulate::world w(1);
  const auto h = w.add_host("host");
  w.serve(h, give_back, {.listen = {h.at(7000)}});
  w.run(h, "epoll", bodies::nothing);
}

TEST(simulated_report, conditions_and_lengths_end_a_run_that_goes_on_later) {
  simulate::world w(1);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, give_back, {.listen = {server.at(7000)}});
  w.run(client, "epoll", [&] { return talk(server.at(7000), 100'000, 3); });
  EXPECT_EQ(w.run_for(1ms).how, simulate::ending::holds);
  EXPECT_GE(w.elapsed(), 1ms);
  EXPECT_LT(w.elapsed(), 2ms);
  EXPECT_EQ(w.run_until([&] { return w.elapsed() >= 3ms; }).how, simulate::ending::holds);
  EXPECT_EQ(w.run_until([] { return false; }, 1ms).how, simulate::ending::time_is_up);
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
}

TEST(simulated_report, steps_are_one_event_or_one_turn) {
  simulate::world w(1);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, give_back, {.listen = {server.at(7000)}});
  bool over = false;
  struct talker {
    static task<> talk_and_say(std::string to, bool& said) {
      co_await talk(std::move(to), 100, 3);
      said = true;
    }
  };
  w.run(client, "epoll", [&] { return talker::talk_and_say(server.at(7000), over); });
  int steps = 0, moments = 0;
  for (clock::duration before{}; !over && w.step(); ++steps, before = w.elapsed()) {
    ASSERT_GE(w.elapsed(), before);
    moments += w.elapsed() > before ? 1 : 0;
    ASSERT_LT(steps, 10'000);
  }
  EXPECT_TRUE(over);
  EXPECT_GT(steps, 20);
  EXPECT_GT(moments, 10);
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
}

TEST(simulated_report, there_is_no_step_where_nothing_can_happen) {
  simulate::world w(1);
  event never_set;
  w.run(w.add_host("a"), "epoll", [&] { return bodies::wait_for_event(never_set); });
  int steps = 0;
  while (w.step()) ASSERT_LT(++steps, 1'000);
  EXPECT_GT(steps, 0);
  EXPECT_EQ(w.finish().how, simulate::ending::dead_lock);
}

TEST(simulated_report, connecting_fails_as_it_does_in_a_network) {
  struct connector {
    static task<> expect(std::string to, std::errc why, clock::duration least) {
      const context c = co_await here{};
      const auto begin = c.on->now();
      const auto s = co_await stream::connect(parse(to));
      simulate::check(!s && s.error() == why, s ? "connected" : s.error().message());
      simulate::check(c.on->now() - begin >= least, "too early");
    }
  };
  for (const char* model :
       {"select", "poll", "epoll", "signal", "nonblocking", "blocking", "io_uring"}) {
    simulate::world w(1);
    const auto a = w.add_host("a"), b = w.add_host("b"), cut = w.add_host("cut off");
    w.partition(a, cut);
    w.run(a, model, [&] { return connector::expect(b.at(1), std::errc::connection_refused, 0s); });
    w.run(a, model,
          [&] { return connector::expect("10.0.0.77:1", std::errc::host_unreachable, 3s); });
    w.run(a, model, [&] { return connector::expect(cut.at(1), std::errc::timed_out, 127s); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
  }
}

TEST(simulated_report, descriptors_run_out_and_accepting_goes_on) {
  struct holder {
    static task<> hold(std::string to) {
      auto s = co_await stream::connect(parse(to));
      simulate::check(s.has_value(), "connected");
      const auto sent = co_await s->send_all("x");
      simulate::check(sent.has_value(), "sent");
      std::array<std::byte, 1> got;
      const auto n = co_await s->recv(got);
      simulate::check(n.value_or(0) == 1, "an answer");
      co_await iolite::sleep(50ms);
    }
  };
  for (const char* model :
       {"select", "poll", "epoll", "signal", "nonblocking", "blocking", "io_uring"}) {
    simulate::world w(3, {.descriptors_max = 16});
    const auto server = w.add_host("server");
    w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
    for (int i = 0; i < 30; ++i) {
      w.run(w.add_host("client"), "poll", [&] { return holder::hold(server.at(7000)); });
    }
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_GE(r.elapsed, 100ms);
  }
}

}  // namespace
}  // namespace iolite_test

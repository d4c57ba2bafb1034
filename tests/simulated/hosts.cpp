// Hosts that crash, come back, stand still, and whose clocks leap.
#include "worlds.hpp"

#include "kernel/kernel.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr auto models = {"select",      "poll",     "epoll",   "signal",
                         "nonblocking", "blocking", "io_uring"};
constexpr auto servers = {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"};

// Asks `questions` times, and again on a new connection whenever the answer does not come.
task<> insist(std::string to, int questions, int& failed) {
  const endpoint at = parse(to);
  while (questions > 0) {
    auto s = co_await stream::connect(at);
    for (bool good = s.has_value(); good && questions > 0;) {
      std::array<std::byte, 4> answer{};
      const auto sent = co_await (s->send_all("ask?") | within(1s));
      const auto got = co_await (s->recv_all(answer) | within(1s));
      good = sent && got;
      if (good) --questions;
      if (good) co_await iolite::sleep(50ms);
    }
    if (questions > 0) {
      ++failed;
      const auto slept = co_await iolite::sleep(100ms);
      if (!slept) co_return;
    }
  }
}

TEST(simulated_host, a_server_that_crashes_and_comes_back_is_found_again) {
  for (const char* model : servers) {
    int failed = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      simulate::world w(seed, {.faults = simulate::faults::some()});
      const auto server = w.add_host("server"), client = w.add_host("client");
      w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
      w.run(client, model, [&] { return insist(server.at(7000), 40, failed); });
      w.at(500ms + 1ms * seed, [&] { w.crash(server); });
      w.at(3s, [&] { w.restart(server); });
      const auto r = w.finish();
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      EXPECT_GE(r.elapsed, 3s);
    }
    EXPECT_GE(failed, 20) << model;
  }
}

TEST(simulated_host, a_crash_has_the_same_trace_each_time) {
  const auto run = [](std::uint64_t seed) {
    int failed = 0;
    simulate::world w(seed, {.faults = simulate::faults::some()});
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = "io_uring", .listen = {server.at(7000)}});
    w.run(client, "signal", [&] { return insist(server.at(7000), 40, failed); });
    w.at(700ms, [&] { w.crash(server); });
    w.at(2s, [&] { w.restart(server); });
    return w.finish().to_string();
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(run(seed), run(seed));
}

// Sends now and then, and hears nothing: when does it learn, and what?
task<> send_on(std::string to, std::error_code& why, clock::duration& when) {
  const context c = co_await here{};
  const auto begin = c.on->now();
  auto s = co_await stream::connect(parse(to));
  simulate::check(s.has_value(), "connected");
  while (!why) {
    const auto sent = co_await s->send_all("more");
    if (!sent) why = sent.error();
    co_await iolite::sleep(100ms);
  }
  when = c.on->now() - begin;
}

task<> swallow(stream s) {
  std::array<std::byte, 64> buffer;
  while ((co_await s.recv(buffer)).value_or(0) > 0) {
  }
}

TEST(simulated_host, peers_hear_nothing_and_then_a_reset_by_who_has_come_back) {
  for (const char* model : models) {
    std::error_code why;
    clock::duration when{};
    simulate::world w(7);
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, swallow, {.model = "epoll", .listen = {server.at(7000)}});
    w.run(client, model, [&] { return send_on(server.at(7000), why, when); });
    w.at(1s, [&] { w.crash(server); });
    w.at(3s, [&] { w.restart(server); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << r.to_string();
    EXPECT_TRUE(why == std::errc::connection_reset || why == std::errc::broken_pipe)
        << why.message();
    EXPECT_GE(when, 3s);
    EXPECT_LT(when, 10s);  // the pause between two tries has grown
  }
}

TEST(simulated_host, of_who_never_comes_back_peers_learn_by_their_own_patience) {
  std::error_code why;
  clock::duration when{};
  simulate::world w(7);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, swallow, {.model = "epoll", .listen = {server.at(7000)}});
  w.run(client, "poll", [&] { return send_on(server.at(7000), why, when); });
  w.at(1s, [&] { w.crash(server); });
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  EXPECT_EQ(why, std::errc::timed_out) << why.message();
  EXPECT_GE(when, 10min);
}

TEST(simulated_host, who_only_listens_never_learns_of_it) {
  struct body {
    static task<> listen(std::string to) {
      auto s = co_await stream::connect(parse(to));
      std::array<std::byte, 4> buffer;
      static_cast<void>(co_await s->recv(buffer));
    }
  };
  simulate::world w(1);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, swallow, {.model = "epoll", .listen = {server.at(7000)}});
  w.run(client, "epoll", [&] { return body::listen(server.at(7000)); });
  w.at(1s, [&] { w.crash(server); });
  w.at(2s, [&] { w.restart(server); });
  const auto r = w.finish();
  EXPECT_EQ(r.how, simulate::ending::dead_lock);
  ASSERT_FALSE(r.waiting.empty());
  EXPECT_EQ(r.waiting[0].program, "client") << r.to_string();
}

TEST(simulated_host, programs_of_a_crashed_host_do_nothing_more_and_begin_anew) {
  struct body {
    static task<> step(int& steps) {
      while (steps < 10) {
        ++steps;
        const auto slept = co_await iolite::sleep(1s);
        if (!slept) co_return;
      }
    }
    static task<> once(int& runs) {
      ++runs;
      co_return;
    }
  };
  for (const char* model : models) {
    int steps = 0, runs = 0, at_crash = 0, elsewhere = 0;
    simulate::world w(1);
    const auto h = w.add_host("host"), other = w.add_host("other");
    w.run(h, model, [&] { return body::step(steps); });
    w.run(h, model, [&] { return body::once(runs); });
    w.run(other, "epoll", [&] { return body::step(elsewhere); });
    w.at(3500ms, [&] {
      w.crash(h);
      at_crash = steps;
    });
    w.at(6s, [&] {
      EXPECT_EQ(steps, at_crash);
      w.restart(h);
    });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << r.to_string();
    EXPECT_EQ(at_crash, 4);
    EXPECT_EQ(steps, 10) << model;
    EXPECT_EQ(runs, 1) << "it had ended: " << model;
    EXPECT_LT(r.elapsed, 13s);
  }
}

TEST(simulated_host, a_program_may_crash_its_own_host) {
  for (const char* model : models) {
    bool went_on = false;
    simulate::world w(1);
    const auto h = w.add_host("host");
    struct body {
      static task<> crash(simulate::world& w, const simulate::host& h, bool& went_on) {
        w.crash(h);
        const auto slept = co_await iolite::sleep(1s);
        went_on = slept.has_value();
      }
    };
    w.run(h, model, [&] { return body::crash(w, h, went_on); });
    w.at(2s, [] {});
    const auto r = w.run_for(3s);
    EXPECT_TRUE(r.ok()) << r.to_string();
    EXPECT_FALSE(went_on) << model;
  }
}

// --- what a disk keeps ---

constexpr std::size_t half = 8192;

struct kept {
  int old_sectors = 0, new_sectors = 0, files_lost = 0;
};

task<> write_then_check(kept& found, bool& second_life) {
  kernel& os = (co_await here{}).on->os();
  std::string text(half, 'a');
  if (!second_life) {
    second_life = true;
    const file f = file::adopt(*(co_await here{}).on, os.open("/log", O_RDWR | O_CREAT, 0600));
    simulate::check((co_await f.write_at(0, bytes_of(text))).has_value(), "written");
    simulate::check((co_await f.sync()).has_value(), "synced");
    std::string more(half, 'b');
    simulate::check((co_await f.write_at(half / 2, bytes_of(more))).has_value(), "written");
    const int other = os.open("/never synced", O_RDWR | O_CREAT, 0600);
    os.close(other);
    static_cast<void>(co_await iolite::sleep(1h));
    co_return;
  }
  const int other = os.open("/never synced", O_RDONLY);
  if (other < 0) ++found.files_lost;
  else os.close(other);
  const file f = file::adopt(*(co_await here{}).on, os.open("/log", O_RDONLY));
  simulate::check(f.is_open(), "a synced file is there");
  std::string got(half * 2, '?');
  got.resize((co_await f.read_at(0, bytes_of(got))).value_or(0));
  simulate::check(got.size() == half || got.size() == half * 3 / 2, "one of the two sizes");
  simulate::check(got.starts_with(std::string(half / 2, 'a')), "what was synced stays");
  for (std::size_t at = half / 2; at + 512 <= half; at += 512) {
    const std::string sector = got.substr(at, 512);
    const bool is_old = sector == std::string(512, 'a'), is_new = sector == std::string(512, 'b');
    simulate::check(is_old || is_new, "a sector is written whole or not at all");
    ++(is_old ? found.old_sectors : found.new_sectors);
  }
}

TEST(simulated_host, a_crash_loses_what_was_not_synced_but_for_a_part) {
  for (const char* model : {"io_uring", "blocking"}) {
    kept found;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      bool second_life = false;
      simulate::world w(seed);
      const auto h = w.add_host("host");
      w.run(h, model, [&] { return write_then_check(found, second_life); });
      w.at(1s, [&] { w.crash(h); });
      w.at(2s, [&] { w.restart(h); });
      const auto r = w.finish();
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
    }
    EXPECT_GT(found.old_sectors, 50) << model;
    EXPECT_GT(found.new_sectors, 50) << model;
    EXPECT_GT(found.files_lost, 5) << model;
    EXPECT_LT(found.files_lost, 35) << model;
  }
}

// --- time ---

TEST(simulated_host, a_host_that_stood_still_is_late_once) {
  struct body {
    static task<> tick(std::vector<clock::time_point>& at) {
      const context c = co_await here{};
      for (int i = 0; i < 20; ++i) {
        co_await iolite::sleep(100ms);
        at.push_back(c.on->now());
      }
    }
  };
  for (const char* model : models) {
    std::vector<clock::time_point> at;
    simulate::world w(1);
    const auto h = w.add_host("host");
    w.run(h, model, [&] { return body::tick(at); });
    w.at(1050ms, [&] { w.stall(h, 5s); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << r.to_string();
    int late = 0;
    for (std::size_t i = 1; i < at.size(); ++i) {
      const auto between = at[i] - at[i - 1];
      EXPECT_GE(between, 100ms);
      late += between > 110ms ? 1 : 0;
    }
    EXPECT_EQ(late, 1) << model;
    EXPECT_GE(r.elapsed, 6950ms);
    EXPECT_LT(r.elapsed, 7050ms);
  }
}

TEST(simulated_host, a_clock_that_leaps_ends_the_waits_it_has_passed) {
  struct body {
    static task<> sleep_twice(clock::duration first, clock::duration& took) {
      const context c = co_await here{};
      const auto begin = c.on->now();
      co_await iolite::sleep(first);
      took = c.on->now() - begin;
      co_await iolite::sleep(1s);
    }
  };
  for (const char* model : models) {
    clock::duration hour{}, day{}, elsewhere{};
    simulate::world w(1);
    const auto h = w.add_host("host"), other = w.add_host("other");
    w.run(h, model, [&] { return body::sleep_twice(1h, hour); });
    w.run(h, model, [&] { return body::sleep_twice(2h, day); });
    w.run(other, model, [&] { return body::sleep_twice(10s, elsewhere); });
    w.at(1s, [&] { w.leap(h, 90min); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << r.to_string();
    EXPECT_GE(hour, 90min) << model;
    EXPECT_LT(hour, 90min + 2s) << model;
    EXPECT_GE(day, 2h) << model;
    EXPECT_LT(day, 2h + 1s) << model;
    EXPECT_GE(elsewhere, 10s) << model;
    EXPECT_LT(r.elapsed, 31min) << model;
  }
}

TEST(simulated_host, clocks_may_begin_anywhere) {
  for (const char* model : servers) {
    for (const clock::duration begin :
         {clock::duration(1ms * 0x7fffffff), clock::duration(0xffffffffs),
          clock::duration(24h * 365 * 200), clock::duration::max()}) {
      simulate::world w(3, {.faults = simulate::faults::some()});
      const auto server = w.add_host("server"), client = w.add_host("client");
      w.leap(server, begin);
      w.leap(client, begin);
      int failed = 0;
      w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
      w.run(client, model, [&] { return insist(server.at(7000), 10, failed); });
      w.at(100ms, [&] { w.leap(client, 1ms); });  // or as far as there is room
      const auto r = w.finish();
      EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
      EXPECT_EQ(failed, 0) << model;
      EXPECT_LT(r.elapsed, 5s);
    }
  }
}

}  // namespace
}  // namespace iolite_test

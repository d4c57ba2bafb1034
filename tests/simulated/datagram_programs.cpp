// Programs in simulated worlds that wait for datagrams with ready(), on every engine.
#include "udp.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr auto models = {"select",      "poll",     "epoll",   "signal",
                         "nonblocking", "blocking", "io_uring"};

// Gives back what comes, until "quit".
task<> give_datagrams_back(udp_socket& s) {
  for (std::string text; text != "quit";) {
    const auto got = co_await s.receive(text);
    if (!got) co_return;  // the world has given up, and says so
    const long sent = s.send_to(*got, text);
    simulate::check(sent == std::ssize(text) || sent == -EAGAIN || sent == -ENOBUFS, "sent");
  }
}

// Asks until the answer to each question comes, and then bids goodbye, which may get lost.
task<> ask_datagrams(udp_socket& s, const std::string& to, int questions) {
  for (int i = 0; i < questions; ++i) {
    const std::string question = "question " + std::to_string(i);
    std::string text;
    while (text != question) {
      s.send_to(to, question);
      if (!co_await s.receive(text, 300ms)) text.clear();
    }
  }
  for (int i = 0; i < 20; ++i) s.send_to(to, "quit");
}

TEST(simulated_datagrams, what_is_sent_takes_its_time_and_the_sender_s_buffer) {
  struct body {
    static task<> send(std::string to, int count, int& full) {
      udp_socket s(co_await here{}, {});
      const std::string large(10'000, 'x');
      for (int i = 0; i < count;) {
        if (s.send_to(to, large) > 0) {
          ++i;
          continue;
        }
        ++full;
        if (!co_await iolite::ready(s.fd(), interest::write)) co_return;
      }
    }
    static task<> receive(std::string at, int count, clock::duration& took) {
      const context c = co_await here{};
      udp_socket s(c, at);
      const auto begin = c.on->now();
      std::string text;
      for (int i = 0; i < count; ++i) {
        if (!co_await s.receive(text)) co_return;
        simulate::check(text.size() == 10'000, "whole");
      }
      took = c.on->now() - begin;
    }
  };
  for (const char* model : models) {
    simulate::world w(1, {.network = {1ms, 2ms, 1'000'000}});
    const auto from = w.add_host("from"), to = w.add_host("to");
    int full = 0;
    clock::duration took{};
    w.run(to, model, [&] { return body::receive(to.at(9000), 100, took); });
    w.run(from, model, [&] { return body::send(to.at(9000), 100, full); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_GE(took, 1s) << model;
    EXPECT_LT(took, 1100ms) << model;
    EXPECT_GT(full, 0) << model;
  }
}

// One refusal a datagram, as late as the way there and back is long.
TEST(simulated_datagrams, a_refusal_comes_after_the_latency) {
  struct body {
    static task<> knock(std::string to) {
      const context c = co_await here{};
      udp_socket s(c, {});
      s.connect(to);
      const auto begin = c.on->now();
      simulate::check(s.send("anybody?") == 8, "sent");
      const auto what = co_await iolite::ready(s.fd(), interest::read);
      simulate::check(what.has_value(), "told");
      simulate::check(c.on->now() - begin >= 10ms, "after the latency");
      std::string text;
      simulate::check(s.try_receive(text) == -ECONNREFUSED, "refused");
      simulate::check(s.try_receive(text) == -EAGAIN, "and once only");
    }
  };
  for (const char* model : models) {
    simulate::world w(1, {.network = {5ms, 6ms}});
    const auto from = w.add_host("from"), to = w.add_host("to");
    w.run(from, model, [&] { return body::knock(to.at(9000)); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
    EXPECT_LT(r.elapsed, 13ms) << model;
  }
}

TEST(simulated_datagrams, ports_run_out_and_come_back) {
  struct body {
    static task<> take_all(std::string to) {
      const context c = co_await here{};
      std::vector<std::unique_ptr<udp_socket>> held;
      for (int i = 0; i < 11; ++i) {
        held.push_back(std::make_unique<udp_socket>(c, std::string()));
        simulate::check(held.back()->send_to(to, "x") == 1, "there is a port");
      }
      udp_socket more(c, {});
      simulate::check(more.send_to(to, "x") == -EAGAIN, "there is none");
      simulate::check((co_await stream::connect(parse(to))).error() ==
                          std::errc::connection_refused,
                      "TCP has its own");
      held.pop_back();
      simulate::check(more.send_to(to, "x") == 1, "there is one again");
    }
  };
  simulate::world w(1, {.ports_first = 40'000, .ports_last = 40'010});
  const auto from = w.add_host("from"), to = w.add_host("to");
  w.run(from, "epoll", [&] { return body::take_all(to.at(9000)); });
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
}

TEST(simulated_datagrams, those_who_share_a_port_each_have_their_senders) {
  std::vector<int> first, second;
  struct body {
    static task<> share(std::string at, std::vector<int>& got) {
      udp_socket s(co_await here{}, at, true);
      std::string text;
      while (co_await s.receive(text, 1s)) got.push_back(std::stoi(text));
    }
  };
  simulate::world w(1);
  const auto from = w.add_host("from"), to = w.add_host("to");
  w.run(to, "epoll", [&] { return body::share(to.at(9000), first); });
  w.run(to, "select", [&] { return body::share(to.at(9000), second); });
  for (int i = 0; i < 20; ++i) {
    w.run(from, "epoll", [&] { return send_numbers(to.at(9000), 10); });
  }
  const auto r = w.finish();
  ASSERT_TRUE(r.ok()) << r.to_string();
  EXPECT_EQ(first.size() + second.size(), 200U);
  EXPECT_EQ(first.size() % 10, 0U);  // of one sender all or none
  EXPECT_FALSE(first.empty());
  EXPECT_FALSE(second.empty());
}

simulate::report ask_on(const char* model, std::uint64_t seed, const simulate::options& o) {
  struct body {
    static task<> serve(std::string at) {
      udp_socket s(co_await here{}, at);
      co_await give_datagrams_back(s);
    }
    static task<> ask(std::string to) {
      udp_socket s(co_await here{}, {});
      co_await ask_datagrams(s, to, 30);
    }
  };
  simulate::world w(seed, o);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.run(server, model, [&] { return body::serve(server.at(9000)); });
  w.run(client, model, [&] { return body::ask(server.at(9000)); });
  return w.finish();
}

TEST(simulated_datagrams, every_model_waits_for_them_with_faults) {
  for (const char* model : models) {
    std::uint64_t lost = 0, twice = 0, late = 0, again = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto r = ask_on(model, seed, {.faults = simulate::faults::some()});
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      lost += count(r, "loss");
      twice += count(r, "duplicate");
      late += count(r, "reorder");
      again += count(r, "again");
    }
    EXPECT_GT(lost, 10U) << model;
    EXPECT_GT(twice, 10U) << model;
    EXPECT_GT(late, 10U) << model;
    EXPECT_GT(again, 10U) << model;
  }
}

TEST(simulated_datagrams, the_same_seed_gives_the_same_trace) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto r = ask_on("epoll", seed, {.faults = simulate::faults::some()});
    EXPECT_EQ(r.hash, ask_on("epoll", seed, {.faults = simulate::faults::some()}).hash);
    hashes.insert(r.hash);
  }
  EXPECT_EQ(hashes.size(), 10U);
}

}  // namespace
}  // namespace iolite_test

// Failing runs are reduced to the faults that they need, and faults keep their numbers meanwhile.
#include "worlds.hpp"

#include "iolite/simulate/shrink.hpp"
#include "simulate/ddmin.hpp"
#include "support/sockets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr std::size_t message = 1000;

// Bug: holds that a receive gives a whole message. After `forgiven` short ones it fails.
task<> careless(stream peer, int forgiven) {
  std::array<std::byte, message> buffer;
  for (std::size_t rest = message;; rest = message) {
    while (rest > 0) {
      const auto n = co_await peer.recv(std::span(buffer).first(rest));
      if (!n || *n == 0) co_return;
      rest -= *n;
      if (rest > 0 && forgiven-- == 0) co_return;  // breaks the connection off
    }
    if (!co_await peer.send_all("y")) co_return;
  }
}

task<> ask(std::string to, int times) {
  auto s = co_await stream::connect(parse(to));
  simulate::check(s.has_value(), "connected");
  const std::string question = pattern(message);
  for (int i = 0; i < times; ++i) {
    const auto sent = co_await s->send_all(question);
    std::array<std::byte, 1> answer;
    const auto n = co_await s->recv(answer);
    simulate::check(sent && n && *n == 1, "an answer");
  }
}

// All faults but those that cut messages on their way: the bug does not survive them at all.
simulate::options many_faults() {
  simulate::faults f = simulate::faults::some();
  f.short_send = f.split = 0;
  f.short_receive = 0.05;
  return {.faults = f};
}

auto careless_world(const char* model, int forgiven) {
  return [model, forgiven](std::uint64_t seed, const simulate::options& o) {
    simulate::world w(seed, o);
    const auto server = w.add_host("server"), client = w.add_host("client");
    const auto handler = [forgiven](stream s) { return careless(std::move(s), forgiven); };
    w.serve(server, handler, {.model = model, .listen = {server.at(7000)}});
    w.run(client, model, [&] { return ask(server.at(7000), 50); });
    return w.finish();
  };
}

class shrinking : public testing::TestWithParam<const char*> {};

TEST_P(shrinking, finds_the_one_fault_that_is_needed) {
  const auto run = careless_world(GetParam(), 0);
  int failing = 0;
  std::size_t faults = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto small = simulate::shrink(seed, many_faults(), run);
    if (!small) continue;
    ++failing;
    faults += small->before;
    EXPECT_TRUE(small->minimal);
    ASSERT_EQ(small->least.injected.size(), 1U) << small->to_string();
    EXPECT_EQ(small->least.injected[0].what, "short_receive");
    EXPECT_EQ(small->least.injected[0].program, "server");
    EXPECT_EQ(small->only, std::vector{small->least.injected[0].number});
    // It repeats, and without that fault the run is good.
    simulate::options again = many_faults();
    again.only = small->only;
    EXPECT_EQ(run(seed, again).hash, small->least.hash);
    again.only = std::vector<std::uint64_t>();
    EXPECT_TRUE(run(seed, again).ok());
  }
  EXPECT_GT(failing, 10);
  EXPECT_GT(faults, 100U);
}

TEST_P(shrinking, finds_two_that_are_needed_together) {
  const auto run = careless_world(GetParam(), 1);
  int failing = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto small = simulate::shrink(seed, many_faults(), run);
    if (!small) continue;
    ++failing;
    EXPECT_EQ(small->least.injected.size(), 2U) << small->to_string();
    for (const auto& f : small->least.injected) EXPECT_EQ(f.what, "short_receive");
  }
  EXPECT_GT(failing, 2);
}

INSTANTIATE_TEST_SUITE_P(every, shrinking,
                         testing::Values("select", "poll", "epoll", "nonblocking", "io_uring"));

TEST(shrink, a_run_that_is_good_gives_nothing) {
  EXPECT_FALSE(simulate::shrink(1, {}, careless_world("epoll", 0)));
}

TEST(shrink, who_fails_without_faults_needs_none) {
  const auto run = [](std::uint64_t seed, const simulate::options& o) {
    auto r = careless_world("epoll", 1'000)(seed, o);
    r.failures.emplace_back("always");
    return r;
  };
  const auto small = simulate::shrink(1, many_faults(), run);
  ASSERT_TRUE(small);
  EXPECT_TRUE(small->only.empty());
  EXPECT_EQ(small->runs, 2U);
  EXPECT_GT(small->before, 0U);
}

TEST(shrink, what_goes_wrong_by_plan_is_a_fault_with_a_name) {
  const auto run = [](std::uint64_t seed, const simulate::options& o) {
    simulate::world w(seed, o);
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = "epoll", .listen = {server.at(7000)}});
    w.run(client, "epoll", [&] { return talk(server.at(7000), 50'000, 1); });
    w.fault_at(1ms, "a slow link", [&] { w.set_link(server, client, {1ms, 2ms}); });
    w.fault_at(2ms, "cut off", [&] { w.partition(server, client); });
    w.at(20s, [&] { w.partition(server, client, false); });
    auto r = w.finish();
    if (r.elapsed > 10s) r.failures.emplace_back("it took too long");
    return r;
  };
  const auto small = simulate::shrink(3, {.faults = simulate::faults::some()}, run);
  ASSERT_TRUE(small);
  ASSERT_EQ(small->least.injected.size(), 1U) << small->to_string();
  EXPECT_EQ(small->least.injected[0].what, "cut off");
  EXPECT_EQ(small->least.injected[0].when, 2ms);
  EXPECT_NE(small->to_string().find("after 0.002000 s: cut off"), std::string::npos)
      << small->to_string();
}

TEST(shrink, faults_that_are_all_allowed_change_nothing) {
  const auto run = careless_world("poll", 1'000);
  const auto all = run(7, many_faults());
  simulate::options same = many_faults();
  same.only.emplace();
  for (const auto& f : all.injected) same.only->push_back(f.number);
  const auto again = run(7, same);
  EXPECT_GT(all.injected.size(), 10U);
  EXPECT_EQ(all.faults_injected(), all.injected.size());
  EXPECT_EQ(all.hash, again.hash);
}

TEST(shrink, one_held_back_leaves_what_was_before_it) {
  const auto run = careless_world("poll", 1'000);
  const auto all = run(7, many_faults());
  simulate::options less = many_faults();
  less.only.emplace();
  for (const auto& f : all.injected) less.only->push_back(f.number);
  const std::size_t half = less.only->size() / 2;
  less.only->erase(less.only->begin() + static_cast<std::ptrdiff_t>(half));
  const auto again = run(7, less);
  ASSERT_GE(again.injected.size(), half);
  for (std::size_t i = 0; i < half; ++i) {
    EXPECT_EQ(again.injected[i].number, all.injected[i].number);
    EXPECT_EQ(again.injected[i].when, all.injected[i].when);
  }
}

TEST(ddmin, leaves_what_is_needed_and_nothing_else) {
  for (int a = 0; a < 40; a += 3) {
    for (int b = a; b < 40; b += 5) {
      std::vector<int> items(40);
      std::iota(items.begin(), items.end(), 0);
      const auto fails = [&](const std::vector<int>& part) {
        return std::ranges::count(part, a) > 0 && std::ranges::count(part, b) > 0;
      };
      EXPECT_TRUE(simulate::ddmin(items, fails, 1'000));
      EXPECT_EQ(items, a == b ? std::vector{a} : (std::vector{a, b}));
    }
  }
}

TEST(ddmin, ends_when_its_tries_are_used_up) {
  std::vector<int> items(64, 1);
  std::size_t tried = 0;
  const auto fails = [&](const std::vector<int>& part) { return ++tried, part.size() == 64; };
  EXPECT_FALSE(simulate::ddmin(items, fails, 10));
  EXPECT_EQ(tried, 10U);
  EXPECT_EQ(items.size(), 64U);
}

}  // namespace
}  // namespace iolite_test

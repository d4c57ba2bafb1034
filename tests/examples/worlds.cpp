// What the programs are made of, in simulated worlds: over seeds, with faults, on three models. The
// calls of an RPC client have a test of their own, which is one of the programs: rpc_test.cpp.
#include "cache.hpp"
#include "chat.hpp"
#include "iolite/simulate.hpp"
#include "proxy.hpp"
#include "race.hpp"
#include "rpc_client.hpp"
#include "rpc_server.hpp"
#include "support/model_names.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <optional>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;
using simulate::check;

constexpr std::uint64_t seeds = 20;

simulate::options usual_faults() { return {.faults = simulate::faults::some()}; }
endpoint parse(const std::string& address) { return endpoint::parse(address).value(); }

task<stream> connect_at_last(std::string address) {
  for (;;) {
    auto s = co_await stream::connect(parse(address));
    if (s) co_return std::move(*s);
    const auto slept = co_await iolite::sleep(10ms);
    if (!slept) throw std::runtime_error("cancelled");
  }
}

class programs : public testing::TestWithParam<std::string> {
 protected:
  // Builds a world of each seed and runs it to its end.
  void each_world(const simulate::options& o,
                  const std::function<void(simulate::world&, std::uint64_t)>& build) {
    for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
      simulate::world w(seed, o);
      build(w, seed);
      const auto r = w.finish();
      EXPECT_TRUE(r.ok()) << r.to_string();
    }
  }
  [[nodiscard]] static std::string model() { return GetParam(); }
};

// --- the proxy ---

std::string text_of(std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += std::to_string(all.size()) + " ";
  return all;
}

// Receives up to the end before it answers.
task<> answer_after_the_end(stream peer) {
  std::string all;
  for (;;) {
    const auto some = co_await peer.recv_lease();
    if (!some) co_return;
    if (some->empty()) break;
    all.append(reinterpret_cast<const char*>(some->bytes().data()), some->bytes().size());
  }
  const auto sent = co_await peer.send_all(std::string(all.rbegin(), all.rend()));
  if (!sent) co_return;
}

task<std::string> receive_to_the_end(stream& from) {
  std::string all;
  for (;;) {
    const auto some = co_await from.recv_lease();
    if (!some || some->empty()) co_return all;
    all.append(reinterpret_cast<const char*>(some->bytes().data()), some->bytes().size());
  }
}

task<> ask_and_end(std::string through) {
  stream s = co_await connect_at_last(through);
  const std::string question = text_of(200'000);
  const auto sent = co_await s.send_all(question);
  check(sent.has_value(), "the question is sent");
  check(s.shutdown_write().has_value(), "and ended");
  const std::string answer = co_await receive_to_the_end(s);
  check(answer == std::string(question.rbegin(), question.rend()), "the whole answer");
}

TEST_P(programs, the_proxy_carries_a_question_its_end_and_the_answer) {
  each_world(usual_faults(), [&](simulate::world& w, std::uint64_t) {
    const auto server = w.add_host("server"), middle = w.add_host("proxy");
    const auto client = w.add_host("client");
    w.serve(server, answer_after_the_end, {.model = "epoll", .listen = {server.at(80)}});
    w.serve(middle, proxy{.upstream = parse(server.at(80))},
            {.model = model(), .listen = {middle.at(8080)}});
    for (int i = 0; i < 3; ++i)
      w.run(
          client, "poll", [=] { return ask_and_end(middle.at(8080)); },
          "client " + std::to_string(i));
  });
}

// Says something every so often, and hears nothing until the end.
task<> keep_talking(std::string to, clock::duration every, clock::duration ends_in) {
  stream s = co_await connect_at_last(to);
  const auto begin = now();
  for (;;) {
    const auto sent = co_await s.send_all("x");
    std::array<char, 1> one{};
    const auto got = co_await (s.recv(one) | within(every));
    if (!sent || got || got.error() != std::errc::timed_out) break;
  }
  const auto lasted = now() - begin;
  check(lasted >= ends_in, "it ends early");
  check(lasted < ends_in + 5s, "it ends late");
}

task<> say_nothing(stream peer) { co_await receive_to_the_end(peer); }

TEST_P(programs, the_proxy_ends_a_session_when_its_time_is_over_and_not_while_it_is_half_idle) {
  each_world(usual_faults(), [&](simulate::world& w, std::uint64_t) {
    const auto server = w.add_host("server"), middle = w.add_host("proxy");
    const auto client = w.add_host("client");
    w.serve(server, say_nothing, {.model = "epoll", .listen = {server.at(80)}});
    const proxy carry{.upstream = parse(server.at(80)), .limits = {.idle = 60s, .session = 600s}};
    w.serve(middle, carry, {.model = model(), .listen = {middle.at(8080)}});
    w.run(client, "poll", [=] { return keep_talking(middle.at(8080), 40s, 600s); }, "talks");
    w.run(client, "poll", [=] { return keep_talking(middle.at(8080), 200s, 60s); }, "is silent");
  });
}

TEST_P(programs, the_proxy_gives_up_a_server_that_cannot_be_reached) {
  each_world(usual_faults(), [&](simulate::world& w, std::uint64_t) {
    const auto server = w.add_host("server"), middle = w.add_host("proxy");
    const auto client = w.add_host("client");
    w.serve(middle, proxy{.upstream = parse(server.at(80))},
            {.model = model(), .listen = {middle.at(8080)}});
    w.partition(server, middle);
    w.run(client, "poll", [=] { return keep_talking(middle.at(8080), 100s, 4s); });
  });
}

// --- calls ---

task<result<std::string>> echo(std::string text) {
  if (!text.starts_with("slow ")) co_return text;
  const auto slept = co_await iolite::sleep(1h);
  if (!slept) co_return std::unexpected(slept.error());
  co_return text;
}

task<> call(rpc_client& client, int number) {
  const std::string text = (number % 4 == 0 ? "slow " : "call ") + std::to_string(number);
  const auto begin = now();
  const auto answer = co_await (client.call(text) | within(10s));
  if (number % 4 != 0) check(answer && *answer == text, "its own answer");
  else check(!answer && answer.error() == std::errc::timed_out, "the slow one is given up");
  check(now() - begin < 12s, "in time");
}

task<> call_a_hundred_times(std::string server) {
  rpc_client client(parse(server));
  co_await in_scope([&](scope& side) -> task<> {
    auto connected = side.spawn(client.keep_connected());
    std::vector<task<>> all;
    for (int i = 0; i < 100; ++i) all.push_back(call(client, i));
    co_await when_all(std::move(all));
    connected.cancel();
  });
}

TEST_P(programs, a_hundred_calls_share_a_connection_and_the_slow_ones_are_given_up) {
  const std::string engine = model().substr(0, model().find('/'));
  each_world(usual_faults(), [&](simulate::world& w, std::uint64_t) {
    const auto server = w.add_host("server"), host = w.add_host("client");
    w.serve(server, rpc_server(echo), {.model = model(), .listen = {server.at(7000)}});
    w.run(host, engine, [=] { return call_a_hundred_times(server.at(7000)); });
  });
}

// --- the chat ---

constexpr int members = 5, sayings = 10;
using heard = std::vector<std::string>;

task<> say_things(stream& to, int member) {
  for (int i = 0; i < sayings; ++i) {
    const auto sent = co_await to.send_all(std::to_string(i) + "\n");
    check(sent.has_value(), "it is said");
    const auto slept = co_await iolite::sleep(std::chrono::milliseconds(3 * member + i));
    check(slept.has_value(), "goes on");
  }
}

// Goes to the room when all are there, says its sayings, and stays until the server says good-bye.
task<> be_member(std::string at, int member, int& there, event& all_there, heard& out) {
  stream s = co_await connect_at_last(at);
  lines talk(s);
  const auto introduced = co_await talk.send("m" + std::to_string(member));
  const auto gone = co_await talk.send("/join room");
  check(introduced && gone, "in the room");
  for (std::string line; line != "* m" + std::to_string(member) + " is in room";) {
    const auto next = co_await talk.receive();
    check(next.has_value(), "is let in");
    line = *next;
  }
  if (++there == members) all_there.set();
  const auto begun = co_await all_there.wait();
  check(begun.has_value(), "all are there");
  co_await in_scope([&](scope& saying) -> task<> {
    saying.spawn(say_things(s, member));
    for (auto line = co_await talk.receive(); line; line = co_await talk.receive())
      out.emplace_back(*line);
  });
}

// What a member has heard of one other.
heard of(int member, const heard& all) {
  const std::string name = "m" + std::to_string(member) + ": ";
  heard out;
  for (const std::string& line : all)
    if (line.starts_with(name)) out.push_back(line.substr(name.size()));
  return out;
}

struct chat_run {
  chat rooms;
  std::array<heard, members> all;
  int there = 0;
  event all_there;

  simulate::report play(const std::string& model, std::uint64_t seed) {
    simulate::world w(seed, usual_faults());
    const auto server = w.add_host("server"), host = w.add_host("members");
    w.serve(server, [&](stream s) { return rooms.serve(std::move(s)); },
            {.model = model, .listen = {server.at(7000)}, .drain_timeout = 1min});
    int member = 0;
    for (heard& out : all) {
      const auto talk = [&, i = member++] {
        return be_member(server.at(7000), i, there, all_there, out);
      };
      w.run(host, "epoll", talk, "m" + std::to_string(member));
    }
    w.at(2min, [&] { w.signal("server", SIGTERM); });
    return w.finish();
  }
  void expect_all_heard() const {
    int member = 0;
    for (const heard& lines : all) {
      ASSERT_FALSE(lines.empty());
      EXPECT_EQ(lines.back(), "* good-bye") << "member " << member;
      for (int other = 0; other < members; ++other) {
        heard expected;
        for (int n = 0; n < sayings && other != member; ++n) expected.push_back(std::to_string(n));
        EXPECT_EQ(of(other, lines), expected) << "member " << member;
      }
      ++member;
    }
  }
};

TEST_P(programs, members_of_a_chat_hear_all_in_order_and_good_bye) {
  for (const std::string& one : {model(), std::string("epoll/pool")}) {
    for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
      SCOPED_TRACE(one + ", seed " + std::to_string(seed));
      chat_run run;
      const auto r = run.play(one, seed);
      EXPECT_TRUE(r.ok()) << r.to_string();
      run.expect_all_heard();
    }
  }
}

// --- the cache ---

task<> use_cache(refreshed<int>& numbers, clock::duration period) {
  int last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto n = co_await numbers.get();
    check(n.has_value(), "a value");
    check(**n >= last, "never an older one");
    last = **n;
    const auto slept = co_await iolite::sleep(period);
    check(slept.has_value(), "goes on");
  }
  check(last >= 15, "it is made anew each period");
}

// Each third time it cannot be made.
task<> fill_and_use_a_cache() {
  int made = 0, failed = 0;
  refreshed<int> numbers(
      [&] {
        if (++made % 3 == 0) throw std::runtime_error("no value\n today");
        return made;
      },
      10s, [&](const std::string& why) { failed += why == "no value\\x0a today"; });
  co_await in_scope([&](scope& side) -> task<> {
    auto fresh = side.spawn(numbers.keep_fresh());
    co_await use_cache(numbers, 10s);
    fresh.cancel();
  });
  check(failed == made / 3, "each failure is logged");
}

TEST_P(programs, a_cache_is_made_anew_and_keeps_the_old_value_when_that_fails) {
  const std::string engine = model().substr(0, model().find('/'));
  each_world(usual_faults(), [&](simulate::world& w, std::uint64_t) {
    w.run(w.add_host("host"), engine, fill_and_use_a_cache);
  });
}

// --- the race ---

task<> race_to(std::vector<std::string> addresses, std::string winner, clock::duration at_least,
               clock::duration at_most) {
  std::vector<endpoint> to;
  for (const std::string& address : addresses) to.push_back(parse(address));
  const auto begin = now();
  auto s = co_await connection_race::run(to);
  const auto took = now() - begin;
  if (winner.empty()) check(!s, "nobody is there");
  else check(s && s->peer() == parse(winner), "the one that answers");
  check(took >= at_least && took <= at_most, "it took " + std::to_string(took / 1ms) + " ms");
}

TEST_P(programs, a_race_is_won_by_the_first_address_that_answers) {
  const std::string engine = model().substr(0, model().find('/'));
  each_world({}, [&](simulate::world& w, std::uint64_t) {
    const auto good = w.add_host("good"), cut = w.add_host("cut"), client = w.add_host("client");
    w.serve(good, say_nothing, {.model = "epoll", .listen = {good.at(80)}});
    w.partition(cut, client);
    using list = std::vector<std::string>;
    const auto race = [&](const list& to, const std::string& winner, clock::duration least,
                          clock::duration most) {
      w.run(client, engine, [=] { return race_to(to, winner, least, most); }, to.front());
    };
    race({good.at(80), cut.at(80)}, good.at(80), 0s, 50ms);
    race({good.at(81), good.at(82), good.at(80)}, good.at(80), 0s, 50ms);
    race({cut.at(80), good.at(80)}, good.at(80), 250ms, 300ms);
    race({cut.at(81), cut.at(80), good.at(80), cut.at(82)}, good.at(80), 500ms, 550ms);
    race({good.at(83), good.at(84)}, "", 0s, 50ms);
  });
}

INSTANTIATE_TEST_SUITE_P(worlds, programs,
                         testing::Values("epoll/shared", "io_uring/shared", "blocking/thread"),
                         name_by_model);

}  // namespace
}  // namespace iolite_test

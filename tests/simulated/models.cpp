// The real engines and a real server in a simulated world: every byte, under every model, over many
// seeds, with everything going wrong that may.
#include "worlds.hpp"

#include "kernel/kernel.hpp"
#include "support/model_names.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;

class simulated_model : public testing::TestWithParam<std::string> {};

simulate::report echo_world(std::uint64_t seed, const std::string& model,
                            const simulate::options& o, bool resets = false) {
  simulate::world w(seed, o);
  const auto server = w.add_host("server");
  w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
  for (unsigned i = 1; i <= 3; ++i) {
    const auto client = w.add_host("client-" + std::to_string(i));
    w.run(client, model, [&, i] { return talk(server.at(7000), 300U * i * i * i, i, resets); });
  }
  return w.finish();
}

TEST_P(simulated_model, echoes_every_byte_over_200_seeds_with_faults) {
  std::uint64_t faults = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto r = echo_world(seed, GetParam(), {.faults = simulate::faults::some()});
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
    faults += r.faults_injected();
  }
  EXPECT_GT(faults, 5'000U);
}

// Gives back by leases, but of `most` bytes at most: then it ends.
task<> give_back_some(stream peer, std::size_t most) {
  for (std::size_t given = 0; given < most;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    const auto part = got->bytes().first(std::min(got->bytes().size(), most - given));
    if (!co_await peer.send_all(part)) co_return;
    given += part.size();
  }
  co_await peer.finish(1s);
}

task<> receive_whole(std::string to, std::size_t sent, bool comes) {
  auto peer = co_await stream::connect(parse(to));
  simulate::check(peer.has_value(), "connected");
  const std::string all(sent, 'w');
  const auto out = co_await peer->send_all(all);
  simulate::check(out.has_value(), "sent");
  std::string got(sent, '\0');
  const auto in = co_await peer->recv_all(std::as_writable_bytes(std::span(got)));
  simulate::check(in.has_value() == comes, comes ? "all comes back" : "the end comes first");
  if (comes) simulate::check(got == all, "the same bytes");
  else simulate::check(in.error() == make_error_code(errc::end_of_stream), in.error().message());
}

TEST_P(simulated_model, whole_receives_and_leases_know_the_end_over_100_seeds) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    simulate::world w(seed, {.faults = simulate::faults::some()});
    const auto server = w.add_host("server"), client = w.add_host("client");
    const auto some = [](stream s) { return give_back_some(std::move(s), 30'000); };
    w.serve(server, some, {.model = GetParam(), .listen = {server.at(7000)}});
    w.run(client, GetParam(), [&] { return receive_whole(server.at(7000), 30'000, true); });
    w.run(client, GetParam(), [&] { return receive_whole(server.at(7000), 30'001, false); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
  }
}

TEST_P(simulated_model, survives_connections_that_are_cut) {
  simulate::faults f = simulate::faults::some();
  f.reset = 0.02;
  std::uint64_t resets = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto r = echo_world(seed, GetParam(), {.faults = f}, true);
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
    for (const auto& [name, n] : r.faults) resets += name == "reset" ? n : 0;
  }
  EXPECT_GT(resets, 0U);
}

TEST_P(simulated_model, a_seed_gives_the_same_trace_and_another_one_does_not) {
  const simulate::options o{.faults = simulate::faults::some()};
  std::vector<std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto once = echo_world(seed, GetParam(), o);
    const auto again = echo_world(seed, GetParam(), o);
    EXPECT_EQ(once.hash, again.hash) << "seed " << seed;
    EXPECT_EQ(once.to_string(), again.to_string());
    EXPECT_EQ(std::ranges::count(seen, once.hash), 0);
    seen.push_back(once.hash);
  }
}

TEST_P(simulated_model, small_buffers_only_take_longer) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto r =
        echo_world(seed, GetParam(),
                   {.faults = simulate::faults::some(), .send_buffer = 100, .receive_buffer = 70});
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
  }
}

// unix(7) sends no signal to a sender that has not met a full buffer: see differential_signals.cpp.
TEST_P(simulated_model, room_on_a_unix_socket_is_seen_by_who_only_asks_for_it) {
  struct bodies {
    static task<> empty_later(kernel& os, int fd) {
      co_await iolite::sleep(1s);
      std::array<std::byte, 4096> into;
      while (os.recv(fd, into.data(), into.size(), MSG_DONTWAIT) > 0) {
      }
    }
    static task<> wait_for_room() {
      const context c = co_await here{};
      kernel& os = c.on->os();
      int two[2] = {-1, -1};
      os.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, two);
      const std::array<std::byte, 4096> some{};
      pollfd p{two[0], POLLOUT, 0};
      while (os.poll(&p, 1, 0) == 1) os.send(two[0], some.data(), some.size(), MSG_NOSIGNAL);
      scope children;
      children.spawn(empty_later(os, two[1]));
      const auto room = co_await (ready(two[0], interest::write) | within(10s));
      co_await children.join();
      os.close(two[0]);
      os.close(two[1]);
      simulate::check(room.has_value(), "there is room");
    }
  };
  simulate::world w(1);
  w.run(w.add_host("host"), GetParam(), bodies::wait_for_room);
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  EXPECT_LT(r.elapsed, 1100ms);
}

TEST_P(simulated_model, an_hour_of_sleep_takes_no_time) {
  simulate::world w(1);
  const auto h = w.add_host("sleeper");
  struct bodies {
    static task<> sleep_long() { co_await iolite::sleep(1h); }
  };
  for (int i = 0; i < 10; ++i) w.run(h, GetParam(), bodies::sleep_long);
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  EXPECT_GE(r.elapsed, 1h);
  EXPECT_LT(r.elapsed, 1h + 10ms);
  EXPECT_LT(r.calls, 5'000U);
}

TEST_P(simulated_model, deadlines_are_never_early_and_hardly_late) {
  struct bodies {
    static task<> wait_for_nothing(std::string to, clock::duration& took) {
      auto s = co_await stream::connect(parse(to));
      simulate::check(s.has_value(), "connected");
      const context c = co_await here{};
      const auto begin = c.on->now();
      std::array<std::byte, 8> buffer;
      const auto n = co_await (s->recv(buffer) | within(250ms));
      took = c.on->now() - begin;
      simulate::check(!n && n.error() == std::errc::timed_out, "timed out");
    }
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    simulate::world w(seed);
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = "epoll", .listen = {server.at(7000)}});
    clock::duration took{};
    w.run(client, GetParam(), [&] { return bodies::wait_for_nothing(server.at(7000), took); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << r.to_string();
    EXPECT_GE(took, 250ms);
    EXPECT_LT(took, 252ms);
  }
}

TEST_P(simulated_model, a_partition_that_heals_loses_nothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    simulate::world w(seed, {.faults = simulate::faults::some(), .network = {5ms, 10ms}});
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.model = GetParam(), .listen = {server.at(7000)}});
    w.run(client, GetParam(), [&] { return talk(server.at(7000), 200'000, 7); });
    w.at(1ms * seed, [&] { w.partition(client, server); });
    w.at(5s, [&] { w.partition(client, server, false); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
    EXPECT_GE(r.elapsed, 5s);
  }
}

INSTANTIATE_TEST_SUITE_P(every, simulated_model,
                         testing::Values("select", "poll", "epoll", "signal", "nonblocking",
                                         "blocking", "io_uring"));

class simulated_server : public testing::TestWithParam<std::string> {};

TEST_P(simulated_server, echoes_every_byte_over_50_seeds_with_faults) {
  simulate::faults f = simulate::faults::some();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    f.reset = seed % 2 == 0 ? 0.01 : 0;
    simulate::world w(seed, {.faults = f});
    const auto server = w.add_host("server");
    w.serve(server, give_back, {.model = GetParam(), .listen = {server.at(7000)}});
    for (unsigned i = 1; i <= 6; ++i) {
      const auto client = w.add_host("client-" + std::to_string(i));
      w.run(client, "poll", [&, i] { return talk(server.at(7000), 900U * i, i, f.reset > 0); });
    }
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
  }
}

// A helper of offload(), a channel, and children: threads where the engine blocks.
task<> square(channel<int>& to) {
  for (int i = 0; i < 10; ++i) {
    const auto value = co_await offload([i] { return i * i; });
    simulate::check(value.has_value(), "the call returns");
    if (!co_await to.send(*value)) co_return;
  }
  to.close();
}

task<> add_up(int& sum) {
  channel<int> numbers(2);
  scope children;
  children.spawn(square(numbers));
  while (const auto n = co_await numbers.receive()) sum += *n;
  co_await children.join();
}

TEST_P(simulated_model, children_and_helpers_are_threads_of_their_program) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    simulate::world w(seed, {.faults = simulate::faults::some()});
    const auto h = w.add_host("host");
    std::array<int, 3> sums{};
    for (int& sum : sums) w.run(h, GetParam(), [&] { return add_up(sum); });
    const auto r = w.finish();
    ASSERT_TRUE(r.ok()) << GetParam() << ": " << r.to_string();
    EXPECT_EQ(sums, (std::array{285, 285, 285}));
  }
}

INSTANTIATE_TEST_SUITE_P(every, simulated_server,
                         testing::Values("select/thread", "poll/pool", "epoll/thread", "epoll/pool",
                                         "nonblocking/pool", "signal/thread", "signal/pool",
                                         "blocking/thread", "blocking/pool", "io_uring/thread",
                                         "io_uring/pool", "nonblocking/prefork", "select/process",
                                         "poll/prefork", "epoll/process", "epoll/prefork",
                                         "signal/process", "signal/prefork", "blocking/process",
                                         "blocking/prefork", "io_uring/process",
                                         "io_uring/prefork"),
                         name_by_model);

}  // namespace
}  // namespace iolite_test

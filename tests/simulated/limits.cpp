// Worlds in which something runs out: who meets that, goes on.
#include "worlds.hpp"

#include "support/sockets.hpp"

#include <gtest/gtest.h>

namespace iolite_test {
namespace {

using namespace iolite;

simulate::report signal_world(std::uint64_t seed, const simulate::options& o) {
  simulate::world w(seed, o);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, give_back, {.model = "signal", .listen = {server.at(7000)}});
  for (unsigned i = 0; i < 8; ++i) {
    w.run(client, "signal", [&, i] { return talk(server.at(7000), 5'000, i); });
  }
  return w.finish();
}

TEST(simulated_limits, signals_that_find_no_room_lose_nothing) {
  for (const std::size_t most : {0U, 1U, 3U}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const auto r = signal_world(seed, {.signals_max = most});
      ASSERT_TRUE(r.ok()) << most << ": " << r.to_string();
    }
  }
  std::uint64_t overflows = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto r = signal_world(seed, {.faults = {.signal_overflow = 0.3}});
    ASSERT_TRUE(r.ok()) << r.to_string();
    overflows += count(r, "signal_overflow");
  }
  EXPECT_GT(overflows, 200U);
}

// Connects again and again: every refusal of memory ends one connection, and nothing else.
TEST(simulated_limits, memory_that_is_refused_costs_a_connection_at_most) {
  struct body {
    static task<> talk_at_last(std::string to, unsigned seed) {
      for (int tries = 0; tries < 1000; ++tries) {
        auto s = co_await stream::connect(parse(to));
        const bool refused = !s && (s.error() == std::errc::no_buffer_space ||
                                    s.error() == std::errc::not_enough_memory);
        simulate::check(s || refused, "refused for want of memory only");
        if (s && co_await ask(*s, seed)) co_return;
        co_await iolite::sleep(10ms);
      }
      simulate::check(false, "it never works");
    }
    static task<bool> ask(stream& s, unsigned seed) {
      const std::string sent = pattern(2'000, seed);
      if (!co_await s.send_all(sent)) co_return false;
      std::string got(sent.size(), '\0');
      if (!co_await s.recv_all(std::as_writable_bytes(std::span(got)))) co_return false;
      simulate::check(got == sent, "the same bytes");
      co_return true;
    }
  };
  for (const char* model : {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"}) {
    std::uint64_t refusals = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      simulate::world w(seed, {.faults = {.no_memory = 0.2}});
      const auto server = w.add_host("server"), client = w.add_host("client");
      w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
      for (unsigned i = 0; i < 4; ++i) {
        w.run(client, model, [&, i] { return body::talk_at_last(server.at(7000), i); });
      }
      const auto r = w.finish();
      // socket() of the listener may be refused as well: then there is no server.
      if (!r.failures.empty() && r.failures[0].starts_with("server: ")) continue;
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      refusals += count(r, "no_memory");
    }
    EXPECT_GT(refusals, 50U) << model;
  }
}

TEST(simulated_limits, ports_run_out_and_come_back) {
  struct body {
    static task<> connect_all(std::string to) {
      const endpoint at = parse(to);
      std::vector<stream> held;
      for (int i = 0; i < 11; ++i) {
        auto s = co_await stream::connect(at);
        simulate::check(s.has_value(), "there is a port");
        held.push_back(std::move(*s));
      }
      const auto more = co_await stream::connect(at);
      simulate::check(!more && more.error() == std::errc::address_not_available, "there is none");
      held.pop_back();
      co_await iolite::sleep(1s);
      simulate::check((co_await stream::connect(at)).has_value(), "there is one again");
    }
  };
  for (const char* model :
       {"select", "poll", "epoll", "signal", "nonblocking", "blocking", "io_uring"}) {
    simulate::world w(1, {.ports_first = 40'000, .ports_last = 40'010});
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, give_back, {.listen = {server.at(7000)}});
    w.run(client, model, [&] { return body::connect_all(server.at(7000)); });
    const auto r = w.finish();
    EXPECT_TRUE(r.ok()) << model << ": " << r.to_string();
  }
}

simulate::report ring_world(std::uint64_t seed, const simulate::ring_features& rings) {
  simulate::world w(seed, {.faults = simulate::faults::some(), .rings = rings});
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, give_back, {.model = "io_uring", .listen = {server.at(7000)}});
  for (unsigned i = 0; i < 8; ++i) {
    w.run(client, "io_uring", [&, i] { return talk(server.at(7000), 20'000, i); });
  }
  return w.finish();
}

TEST(simulated_limits, io_uring_does_with_what_a_kernel_has) {
  for (const simulate::ring_features& rings :
       {simulate::ring_features{.defer_taskrun = false},
        {.buffer_rings = false},
        {.buffer_rings = true, .incremental_buffers = false},
        {.buffer_rings = true, .incremental_buffers = true},
        {.defer_taskrun = false, .buffer_rings = false, .coop_taskrun = false},
        {.entries_max = 2},
        {.defer_taskrun = true, .buffer_rings = true, .entries_max = 1}}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto r = ring_world(seed, rings);
      ASSERT_TRUE(r.ok()) << rings.entries_max << ": " << r.to_string();
    }
  }
}

TEST(simulated_limits, where_io_uring_cannot_be_had_the_reason_is_told) {
  for (const auto& [rings, why] :
       {std::pair(simulate::ring_features{.available = false}, "EPERM"),
        std::pair(simulate::ring_features{.ext_arg = false}, "ENOSYS")}) {
    const auto r = ring_world(1, rings);
    ASSERT_EQ(r.failures.size(), 9U) << r.to_string();
    for (const std::string& f : r.failures) EXPECT_NE(f.find(why), std::string::npos) << f;
  }
}

}  // namespace
}  // namespace iolite_test

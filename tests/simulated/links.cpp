// Links that flap, and links of limited bandwidth.
#include "worlds.hpp"

#include <gtest/gtest.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST(simulated_link, a_link_that_flaps_loses_nothing) {
  for (const char* model : {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      simulate::world w(seed,
                        {.network = {5ms, 10ms}, .send_buffer = 10'000, .trace_lines = 100'000});
      const auto server = w.add_host("server"), client = w.add_host("client");
      w.serve(server, give_back, {.model = model, .listen = {server.at(7000)}});
      w.run(client, model, [&] { return talk(server.at(7000), 500'000, 7); });
      w.at(30ms, [&] { w.flap(client, server, 100ms, 300ms); });
      const auto r = w.finish();
      ASSERT_TRUE(r.ok()) << model << ": " << r.to_string();
      EXPECT_GE(r.elapsed, 400ms);
      EXPECT_NE(w.trace().find("blocked: client to server"), std::string::npos);
      EXPECT_NE(w.trace().find("open: client to server"), std::string::npos);
    }
  }
}

TEST(simulated_link, a_link_stops_flapping_when_faults_are_over) {
  simulate::world w(1, {.faults_for = 2s, .trace_lines = 1000});
  const auto a = w.add_host("a"), b = w.add_host("b");
  struct body {
    static task<> nothing() { co_await iolite::sleep(1h); }
  };
  w.run(a, "epoll", body::nothing);
  w.flap(a, b, 300ms, 300ms);
  EXPECT_TRUE(w.finish().ok());
  std::size_t cut = 0;
  for (std::size_t at = 0; (at = w.trace().find("blocked: a to b", at)) != std::string::npos; ++at)
    ++cut;
  EXPECT_EQ(cut, 3U);
}

task<> send_much(std::string to, std::size_t bytes) {
  auto s = co_await stream::connect(parse(to));
  simulate::check(s.has_value(), "connected");
  const std::string all(bytes, 'x');
  simulate::check((co_await s->send_all(all)).has_value(), "sent");
  s->shutdown_write();
  std::array<std::byte, 1> end;
  simulate::check((co_await s->recv(end)).value_or(9) == 0, "received to the end");
}

task<> swallow(stream s) {
  std::array<std::byte, 65536> buffer;
  while ((co_await s.recv(buffer)).value_or(0) > 0) {
  }
}

clock::duration time_of(int senders, std::uint64_t bytes_per_second) {
  simulate::world w(1, {.network = {1ms, 2ms, bytes_per_second}});
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, swallow, {.listen = {server.at(7000)}});
  for (int i = 0; i < senders; ++i) {
    w.run(client, "epoll", [&] { return send_much(server.at(7000), 1'000'000); });
  }
  const auto r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  return r.elapsed;
}

TEST(simulated_link, what_is_sent_takes_its_time_and_shares_the_link) {
  EXPECT_LT(time_of(3, 0), 200ms);
  const auto one = time_of(1, 1'000'000), three = time_of(3, 1'000'000);
  EXPECT_GE(one, 1s);
  EXPECT_LT(one, 1200ms);
  EXPECT_GE(three, 3s);
  EXPECT_LT(three, 3300ms);
}

}  // namespace
}  // namespace iolite_test

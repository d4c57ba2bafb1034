// Worlds in which something runs out: who meets that, goes on.
#include "worlds.hpp"

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
  for (const std::size_t most : {0, 1, 3}) {
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

}  // namespace
}  // namespace iolite_test

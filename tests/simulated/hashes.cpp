// The trace hashes of many seeds, one line each: `MODELS SEED HASH CALLS`. Every build of this
// program writes the same lines, whatever the compiler, its options and the place of its memory.
//
//   simulated_hashes [SEEDS [FIRST]]
#include "worlds.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace iolite_test {
namespace {

using namespace iolite;

// A channel, an event, helper threads and, on a blocking engine, children that are threads.
task<> produce(channel<int>& to) {
  for (int i = 0; i < 10; ++i) {
    const auto value = co_await offload([i] { return i * i; });
    if (!value || !co_await to.send(*value)) co_return;
  }
  to.close();
}

task<> consume() {
  channel<int> numbers(2);
  scope children;
  children.spawn(produce(numbers));
  int sum = 0;
  while (const auto n = co_await numbers.receive()) sum += *n;
  co_await children.join();
  simulate::check(sum == 285, "every number comes");
}

struct scenario {
  const char* server;
  const char* client;
};

simulate::report run(std::uint64_t seed, const scenario& s) {
  simulate::faults f = simulate::faults::some();
  f.reset = seed % 3 == 0 ? 0.01 : 0;
  simulate::world w(seed, {.faults = f});
  const auto server = w.add_host("server");
  w.serve(server, give_back, {.model = s.server, .listen = {server.at(7000)}});
  for (unsigned i = 1; i <= 3; ++i) {
    const auto client = w.add_host("client-" + std::to_string(i));
    w.run(client, s.client, [&, i] { return talk(server.at(7000), 700U * i * i, i, f.reset > 0); });
    if (i != 2) continue;
    w.at(10ms, [&w, client, server] { w.partition(client, server); });
    w.at(1s, [&w, client, server] { w.partition(client, server, false); });
  }
  w.run(server, s.client, consume);
  return w.finish();
}

constexpr scenario scenarios[] = {
    {"epoll", "epoll"},           {"poll", "select"},        {"select", "nonblocking"},
    {"nonblocking", "blocking"},  {"io_uring", "poll"},      {"epoll/pool", "io_uring"},
    {"blocking/thread", "epoll"}, {"blocking/pool", "poll"},
};

int write_hashes(std::uint64_t first, std::uint64_t seeds) {
  int failed = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    for (const scenario& s : scenarios) {
      const auto r = run(seed, s);
      std::printf("%s+%s %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", s.server, s.client, seed,
                  r.hash, r.calls);
      if (r.ok()) continue;
      std::fputs(r.to_string().c_str(), stderr);
      failed = 1;
    }
  }
  return failed;
}

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace
}  // namespace iolite_test

int main(int argc, char** argv) {
  using iolite_test::number;
  return iolite_test::write_hashes(argc > 2 ? number(argv[2]) : 1,
                                   argc > 1 ? number(argv[1]) : 1000);
}

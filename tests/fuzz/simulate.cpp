// Fault schedules of the simulator: the bytes choose seed, model, faults and a plan. Whatever they
// are, every byte of an echo comes back, all ends, and the same schedule gives the same trace.
#include "fuzz.hpp"
#include "tests/simulated/worlds.hpp"

#include <algorithm>
#include <array>

namespace {

using namespace std::chrono_literals;
using namespace iolite;

constexpr std::array models = {"epoll", "poll", "select", "io_uring", "nonblocking"};

double often(std::uint8_t b) { return b < 128 ? 0 : static_cast<double>(b - 127) / 512; }

simulate::faults faults_of(fuzz::decisions& choose) {
  simulate::faults f;
  for (double* p : {&f.short_receive, &f.short_send, &f.again, &f.spurious, &f.interrupt,
                    &f.abort_accept, &f.split, &f.delay, &f.stall}) {
    *p = often(choose.byte());
  }
  f.reset = often(choose.byte()) / 16;
  return f;
}

simulate::report play(std::span<const std::uint8_t> bytes) {
  fuzz::decisions choose(bytes);
  const std::uint64_t seed = choose.number(2);
  const char* const model = models[choose.below(models.size())];
  const char* const client_model = models[choose.below(models.size())];
  const std::size_t size = 1U + 100U * choose.byte();
  simulate::options o{.faults = faults_of(choose), .faults_for = 20s, .ends_within = 5min};
  o.send_buffer = 64U + 1000U * choose.byte();
  o.receive_buffer = 64U + 1000U * choose.byte();
  simulate::world w(seed, o);
  const auto server = w.add_host("server"), client = w.add_host("client");
  w.serve(server, iolite_test::give_back, {.model = model, .listen = {server.at(7000)}});
  for (unsigned i = 0; i < 2; ++i) {
    w.run(client, client_model,
          [&, i] { return iolite_test::talk(server.at(7000), size, i, true); });
  }
  for (int steps = 0; steps < 8 && !choose.empty(); ++steps) {
    const auto at = std::chrono::milliseconds(10 * choose.byte());
    const unsigned what = choose.below(4);
    w.at(at, [&w, server, client, what] {
      if (what < 2) w.partition(server, client, what == 0);
      else w.block(server, client, what == 2);
    });
  }
  w.at(15s, [&w, server, client] {
    w.partition(server, client, false);
    w.block(server, client, false);
  });
  return w.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(data, std::min<std::size_t>(size, 64));
  const auto once = play(bytes);
  fuzz::require(once.ok(), "every byte comes back:", once.to_string());
  const auto again = play(bytes);
  fuzz::require(once.hash == again.hash, "the same schedule gives the same trace");
  return 0;
}

// rpc_test [SEED [FAULT,...]]
//
// Tests rpc_client.hpp and rpc_server.hpp in simulated worlds: tasks call a server while the
// network is slow, cuts connections and stops, and the server's host crashes. Time is virtual.
// Everything follows from the seed, so a seed that fails fails again; then the faults are named
// that it takes. Without arguments the seeds are 1 to 100.
#include "rpc_client.hpp"
#include "rpc_server.hpp"

#include <iolite/simulate.hpp>
#include <iolite/simulate/shrink.hpp>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <vector>

namespace {

namespace simulate = iolite::simulate;
using namespace std::chrono_literals;
using simulate::check;

iolite::task<iolite::result<std::string>> echo(std::string text) {
  const auto slept = co_await iolite::sleep(20ms);
  if (!slept) co_return std::unexpected(slept.error());
  co_return text;
}

// What must hold: each answer is that of its own call, each call ends in its time, and once the
// faults have stopped all of them succeed. If they do not, the world reports that it never ends.
iolite::task<> call_again_and_again(rpc_client& client, int task) {
  for (int call = 0; call < 20;) {
    const std::string text = std::to_string(task) + "." + std::to_string(call);
    const auto begin = iolite::now();
    const auto answer = co_await (client.call(text) | iolite::within(2s));
    check(iolite::now() - begin < 3s, "a call outlasts its limit");
    check(!answer || *answer == text, text + " is answered by " + answer.value_or(""));
    if (answer) ++call;
    else
      check(answer.error() == iolite::errc::closed || answer.error() == std::errc::timed_out,
            "a call fails: " + answer.error().message());
  }
}

iolite::task<> caller(iolite::endpoint server) {
  rpc_client client(server);
  co_await iolite::in_scope([&](iolite::scope& side) -> iolite::task<> {
    auto connected = side.spawn(client.keep_connected());
    std::vector<iolite::task<>> tasks;
    tasks.reserve(10);
    for (int i = 0; i < 10; ++i) tasks.push_back(call_again_and_again(client, i));
    co_await iolite::when_all(std::move(tasks));
    connected.cancel();
  });
}

simulate::report run(std::uint64_t seed, const simulate::options& o) {
  simulate::world w(seed, o);
  const auto a = w.add_host("server"), b = w.add_host("client");
  w.serve(a, rpc_server(echo), {.model = "epoll", .listen = {a.at(7000)}});
  w.run(b, "io_uring", [&] { return caller(*iolite::endpoint::parse(a.at(7000))); });
  // Faults by plan have a number, too, and are left out where a failure does not need them.
  w.fault_at(100ms, "partition", [&] {
    w.partition(a, b);
    w.at(w.elapsed() + 5s, [&] { w.partition(a, b, false); });
  });
  w.fault_at(8s, "crash", [&] {
    w.crash(a);
    w.at(w.elapsed() + 1s, [&] { w.restart(a); });
  });
  return w.finish();
}

// Says what went wrong, the faults it takes, and how to see it again.
int explain(std::uint64_t seed, const simulate::options& o, const simulate::report& r) {
  const auto small = simulate::shrink(seed, o, run);
  if (!small) return std::printf("%sit does not fail again\n", r.to_string().c_str()), 1;
  std::printf("%s%sto repeat it: rpc_test %llu ", small->least.to_string().c_str(),
              small->to_string().c_str(), static_cast<unsigned long long>(seed));
  for (const std::uint64_t fault : small->only)
    std::printf("%llu,", static_cast<unsigned long long>(fault));
  return std::puts(small->only.empty() ? "," : ""), 1;
}

}  // namespace

int main(int argc, char** argv) {
  simulate::options o{.faults = simulate::faults::some()};
  o.faults.reset = 0.005;
  if (argc > 2) {
    std::istringstream numbers(argv[2]);
    o.only.emplace();
    for (std::string n; std::getline(numbers, n, ',');)
      if (!n.empty()) o.only->push_back(std::strtoull(n.c_str(), nullptr, 10));
  }
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t last = argc > 1 ? first : 100;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const auto r = run(seed, o);
    if (!r.ok()) return explain(seed, o, r);
  }
  const unsigned long long seeds = last - first + 1;
  std::printf("%llu seeds: each call was answered by its own answer\n", seeds);
}

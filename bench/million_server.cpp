// The server of bench/million: the ordinary handler on many io_uring engines, a thread each, whose
// tables of direct descriptors hold what RLIMIT_NOFILE does not allow a process.
//
//   million_server ENGINES SLOTS
//
// Prints a line with the port of each engine, on 127.0.0.1, then `listening`. Ends when its
// standard input does.
#include <iolite/iolite.hpp>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

iolite::task<> echo(iolite::stream peer) {
  for (;;) {
    const auto lent = co_await peer.recv_lease();
    if (!lent || lent->bytes().empty()) co_return;
    if (!co_await peer.send_all(lent->bytes())) co_return;
  }
}

// What the threads tell the first one.
struct listeners {
  std::mutex lock;
  std::condition_variable changed;
  std::vector<unsigned> ports;
  std::string failure;
};

void serve_one(listeners& all, unsigned slots) {
  iolite::serve_options o;
  o.model = "io_uring/shared";
  o.connections_max = slots;
  o.signals = false;
  o.sockets.keepalive_idle = iolite::clock::duration::zero();  // a million timers are not the point
  o.engine.direct_descriptors = slots;
  o.on_listening = [&all](const auto&, const std::vector<iolite::endpoint>& at) {
    const std::lock_guard hold(all.lock);
    all.ports.push_back(at.front().port());
    all.changed.notify_one();
  };
  const auto served = iolite::serve(echo, o);
  const std::lock_guard hold(all.lock);
  all.failure = served ? "a server has ended" : served.error().message;
  all.changed.notify_one();
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned engines = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1;
  const unsigned slots = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1'000;
  listeners all;
  for (unsigned i = 0; i < engines; ++i) std::thread(serve_one, std::ref(all), slots).detach();
  {
    std::unique_lock hold(all.lock);
    all.changed.wait(hold, [&] { return all.ports.size() == engines || !all.failure.empty(); });
    if (!all.failure.empty()) {
      std::fprintf(stderr, "%s\n", all.failure.c_str());
      std::_Exit(1);
    }
    for (const unsigned port : all.ports) std::printf("%u\n", port);
  }
  std::puts("listening");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);  // at once: to drain a million connections is another question
}

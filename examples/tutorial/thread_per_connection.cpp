// A thread for each client: plain blocking calls, and still nobody waits for another.
//
// A handler that computes, or sleeps in some library, holds its own thread and no other, and an
// exception ends its own connection only. But threads share one memory: a crash is everyone's
// crash. And each client costs a thread, with its stack, also while it says nothing.
//
// Try it with two `nc 127.0.0.1 7000`. Lines come back in upper case, but for these: `sleep` holds
// the thread for a second, `throw` and `crash` do what they say, `cost` tells what all the clients
// cost now. Compare `cost` and `crash` with those of process_per_connection.
#include "support/cost.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"

#include <atomic>
#include <cstdlib>
#include <iolite/iolite.hpp>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace {

std::atomic<int> connections = 0;  // threads share it

struct counted {
  counted() { ++connections; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --connections; }
};

iolite::task<> answer(iolite::stream peer, tutorial::cost before) {
  const counted one_more;
  tutorial::line_reader from(peer);
  while (const auto line = co_await from.next()) {
    std::string reply = tutorial::upper(*line);
    if (*line == "sleep") std::this_thread::sleep_for(std::chrono::seconds(1));
    if (*line == "throw") throw std::runtime_error("a client asked for it");
    if (*line == "crash") std::abort();
    if (*line == "cost") reply = tutorial::cost::of(::getpid()).report(before, connections);
    reply += '\n';
    if (!co_await peer.send_all(reply)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "a server with a thread for each client",
                  {{"--listen", &listen, "where"}});
  const auto before = tutorial::cost::of(::getpid());
  return iolite::serve_main(
      [before](iolite::stream peer) { return answer(std::move(peer), before); },
      {.model = "blocking/thread", .listen = {listen}});
}

// A process for each client: what one of them does harms no other, not even a crash.
//
// fork(2) gives each connection a copy of the program. Nothing is shared: the count below is each
// client's own. When one crashes, the others do not notice; the parent, who only accepts, says so
// and goes on. The price is a process per client: slower to start than a thread, and more memory.
//
// Try it with two `nc 127.0.0.1 7000`. Each answer is a number and the line in upper case. The line
// `crash` crashes the process that serves you, `cost` tells what all the clients cost now.
#include "support/cost.hpp"
#include "support/lines.hpp"
#include "support/options.hpp"

#include <cstdlib>
#include <fmt/core.h>
#include <iolite/iolite.hpp>
#include <unistd.h>

namespace {

int lines_answered = 0;  // by this process

iolite::task<> answer(iolite::stream peer, tutorial::cost before) {
  tutorial::line_reader from(peer);
  while (const auto line = co_await from.next()) {
    if (*line == "crash") std::abort();
    std::string reply = tutorial::upper(*line);
    if (*line == "cost") {
      const auto now = tutorial::cost::of(::getppid());  // the parent and all its children
      reply = now.report(before, now.processes - 1);
    }
    reply = fmt::format("{} {}\n", ++lines_answered, reply);
    if (!co_await peer.send_all(reply)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "a server with a process for each client",
                  {{"--listen", &listen, "where"}});
  const auto before = tutorial::cost::of(::getpid());
  return iolite::serve_main(
      [before](iolite::stream peer) { return answer(std::move(peer), before); },
      {.model = "blocking/process", .listen = {listen}});
}

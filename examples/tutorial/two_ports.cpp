// Two listeners in one loop: whoever comes, at whichever port, is served by the same thread.
//
// A listener is a descriptor like any other: it is ready when somebody has connected. So a loop
// that waits for many connections waits for many listeners, too, and needs no thread for each.
// Which port a client came to is asked of its socket, and decides what it hears.
//
// Try it with `nc 127.0.0.1 7000`, and with the second port that is printed at the start.
#include "support/lines.hpp"
#include "support/options.hpp"
#include "support/sockets.hpp"

#include <fmt/core.h>
#include <iolite/iolite.hpp>

namespace {

std::vector<iolite::endpoint> addresses;  // set before the first client is accepted

iolite::task<> greet(iolite::stream peer) {
  const bool first = peer.local() == addresses[0];
  std::string reply = first ? "Good morning from the first port\n" : "Good evening, second port\n";
  if (!co_await peer.send_all(reply)) co_return;
  tutorial::line_reader from(peer);
  while (const auto line = co_await from.next()) {
    reply = (first ? "first: " : "second: ") + *line + "\n";
    if (!co_await peer.send_all(reply)) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000", second = "127.0.0.1:0", model = "auto";
  tutorial::parse(argc, argv, "one loop, two ports, and a greeting for each",
                  {{"--listen", &listen, "where"},
                   {"--second", &second, "where else; port 0: any that is free"},
                   {"--model", &model, "of I/O"}});
  const auto ready = [](const iolite::model_choice&, const std::vector<iolite::endpoint>& at) {
    addresses = at;  // with the ports they got
    for (const auto& address : at) tutorial::say("listening on " + address.to_string());
  };
  return iolite::serve_main(greet,
                            {.model = model, .listen = {listen, second}, .on_listening = ready});
}

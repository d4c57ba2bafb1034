// One client at a time: R. Stevens' first model at its plainest.
//
// recv(2) holds the only thread until its client sends something, so a second client waits, however
// little it wants. Its connection is made all the same, by the kernel: it sees no error, only
// silence. Try it with two `nc 127.0.0.1 7000`; the second is answered when the first has left.
#include "support/options.hpp"

#include <array>
#include <iolite/iolite.hpp>

namespace {

iolite::task<> echo(iolite::stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto received = co_await peer.recv(buffer);
    if (!received || *received == 0) co_return;
    if (!co_await peer.send_all(std::span(buffer).first(*received))) co_return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string listen = "127.0.0.1:7000";
  tutorial::parse(argc, argv, "an echo server for one client at a time",
                  {{"--listen", &listen, "where"}});
  // A pool of one thread, and blocking calls in it.
  return iolite::serve_main(echo, {.model = "blocking/pool", .listen = {listen}, .workers = 1});
}

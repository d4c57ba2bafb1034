#include <array>
#include <iolite/iolite.hpp>

iolite::task<> echo(iolite::stream peer) {
  std::array<std::byte, 16384> buffer;
  for (;;) {
    const auto received = co_await peer.recv(buffer);
    if (!received || *received == 0) co_return;  // an error, or the peer has ended
    const auto sent = co_await peer.send_all(std::span(buffer).first(*received));
    if (!sent) co_return;
  }
}

int main(int argc, char** argv) {
  return iolite::serve_main(echo, {.model = argc > 1 ? argv[1] : "auto", .listen = {":7000"}});
}

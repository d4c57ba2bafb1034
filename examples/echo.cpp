#include <iolite/iolite.hpp>

iolite::task<> echo(iolite::stream peer) {
  for (;;) {
    const auto received = co_await peer.recv_lease();
    if (!received || received->empty()) co_return;  // an error, or the peer has ended
    const auto sent = co_await peer.send_all(received->bytes());
    if (!sent) co_return;
  }
}

int main(int argc, char** argv) {
  return iolite::serve_main(echo, {.model = argc > 1 ? argv[1] : "auto", .listen = {":7000"}});
}

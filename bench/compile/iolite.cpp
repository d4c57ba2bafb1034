// What bench/compile_time compiles of the library: one header, one handler, one call.
#include <iolite/iolite.hpp>

#include <array>
#include <cstdio>
#include <string>

iolite::task<> echo(iolite::stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await peer.recv(buffer);
    if (!n || *n == 0) co_return;
    if (!co_await peer.send_all(std::span(buffer).first(*n))) co_return;
  }
}

int main(int argc, char** argv) {
  iolite::serve_options options;
  options.model = argc > 1 ? argv[1] : "auto";
  options.listen = {std::string("127.0.0.1:") + (argc > 2 ? argv[2] : "0")};
  options.on_listening = [](const auto&, const auto& at) {
    std::printf("listening on %s\n", at.front().to_string().c_str());
    std::fflush(stdout);
  };
  const auto served = iolite::serve(echo, options);
  if (!served) std::fprintf(stderr, "%s\n", served.error().message.c_str());
  return served ? 0 : 1;
}

// What does the ordinary handler cost under a model of the library? echo_iolite MODEL [PORT]
// Also what bench/compile_time compiles: one header, one handler, one call.
#include <iolite/iolite.hpp>

#include <cstdio>
#include <string>

iolite::task<> echo(iolite::stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    if (!co_await peer.send_all(got->bytes())) co_return;
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

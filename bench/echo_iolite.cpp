// What does the ordinary handler cost under a model of the library? echo_iolite MODEL, then what
// loops/arguments.h says; --threads are the workers of `pool`.
#include "loops/arguments.h"

#include <iolite/iolite.hpp>

#include <cstdio>
#include <memory>
#include <string_view>

namespace {

iolite::task<> echo(iolite::stream peer, std::size_t bytes) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(bytes);
  for (;;) {
    const auto n = co_await peer.recv({buffer.get(), bytes});
    if (!n || *n == 0) co_return;
    if (!co_await peer.send_all({buffer.get(), *n})) co_return;
  }
}

// The engine lends the buffer: an idle connection holds none, and it has the engine's size.
iolite::task<> echo_leased(iolite::stream peer) {
  for (;;) {
    const auto lent = co_await peer.recv_lease();
    if (!lent || lent->bytes().empty()) co_return;
    if (!co_await peer.send_all(lent->bytes())) co_return;
  }
}

iolite::engine_options::receiving receiving_of(std::string_view name) {
  using how = iolite::engine_options::receiving;
  if (name == "each") return how::each;
  return name == "multishot" ? how::multishot : how::observed;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int known = knows_threads | knows_spin | knows_lease | knows_direct | knows_receives;
  const char* const model = argc > 1 ? argv[1] : "auto";
  const arguments a = read_arguments(argc - 1, argv + 1, known);
  iolite::serve_options options;
  options.model = model;
  options.listen = {a.listen};
  options.connections_max = 20'000;
  options.workers = static_cast<unsigned>(a.threads);
  options.on_listening = [](const auto&, const auto& at) {
    std::printf("listening on %s\n", at.front().to_string().c_str());
    std::fflush(stdout);
  };
  options.engine.spin = std::chrono::microseconds(a.spin_us);
  options.engine.direct_descriptors = static_cast<unsigned>(a.direct);
  options.engine.receives = receiving_of(a.receives);
  const auto handler = [&a](iolite::stream peer) {
    return a.lease ? echo_leased(std::move(peer)) : echo(std::move(peer), a.buffer_bytes);
  };
  const auto served = iolite::serve(handler, options);
  if (!served) std::fprintf(stderr, "%s\n", served.error().message.c_str());
  return served ? 0 : 1;
}

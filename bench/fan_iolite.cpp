// What does a fan-out cost under a model of the library? What one connection sends goes to all
// others: a task for each send, so that all of them are under way at once. fan_iolite MODEL, then
// what loops/arguments.h says.
#include "loops/arguments.h"

#include <iolite/iolite.hpp>

#include <cstdio>
#include <memory>
#include <vector>

namespace {

// Of one loop: `shared` models only.
class room {
 public:
  explicit room(std::size_t bytes) : bytes_(bytes) {}

  iolite::task<> member(iolite::stream peer) {
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(bytes_);
    all_.push_back(&peer);
    for (;;) {
      const auto n = co_await peer.recv({buffer.get(), bytes_});
      if (!n || *n == 0) break;
      co_await publish(peer, {buffer.get(), *n});
    }
    std::erase(all_, &peer);
  }

 private:
  iolite::task<> publish(iolite::stream& from, std::span<const std::byte> text) {
    iolite::scope sends;
    for (iolite::stream* to : all_)
      if (to != &from) sends.spawn(deliver(*to, text));
    co_await sends.join();
  }

  // A member that cannot receive is found by its own receive.
  static iolite::task<> deliver(iolite::stream& to, std::span<const std::byte> text) {
    (void)co_await to.send_all(text);
  }

  const std::size_t bytes_;
  std::vector<iolite::stream*> all_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* const model = argc > 1 ? argv[1] : "auto";
  const arguments a = read_arguments(argc - 1, argv + 1, knows_fan);
  room all(a.buffer_bytes);
  iolite::serve_options options;
  options.model = model;
  options.listen = {a.listen};
  options.connections_max = 20'000;
  options.shares_memory = true;
  options.on_listening = [](const auto&, const auto& at) {
    std::printf("listening on %s\n", at.front().to_string().c_str());
    std::fflush(stdout);
  };
  const auto served =
      iolite::serve([&all](iolite::stream peer) { return all.member(std::move(peer)); }, options);
  if (!served) std::fprintf(stderr, "%s\n", served.error().message.c_str());
  return served ? 0 : 1;
}

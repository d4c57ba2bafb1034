// What does a fan-out cost under a model of the library? What one connection sends goes to all
// others: one message, an outbox for each of them. fan_iolite MODEL, then what loops/arguments.h
// says.
#include "loops/arguments.h"

#include <iolite/iolite.hpp>

#include <cstdio>
#include <vector>

namespace {

// Of one loop: `shared` models only.
class room {
 public:
  iolite::task<> member(iolite::stream peer) {
    iolite::outbox mail(waiting_max);
    const joined here(all_, mail);
    co_await iolite::in_scope([&](iolite::scope& sending) -> iolite::task<> {
      sending.spawn(send(mail, peer));
      for (;;) {
        const auto received = co_await peer.recv_lease();
        if (!received || received->empty()) break;
        publish(mail, iolite::message(received->bytes()));
      }
      sending.cancel();
    });
  }

 private:
  static constexpr std::uint32_t waiting_max = 64;  // messages
  using members = std::vector<iolite::outbox*>;
  struct joined {  // until the member leaves, whatever happens
    members& all;
    iolite::outbox& mail;
    joined(members& a, iolite::outbox& m) : all(a), mail(m) { all.push_back(&mail); }
    joined(const joined&) = delete;
    joined& operator=(const joined&) = delete;
    ~joined() { std::erase(all, &mail); }
  };

  // Who reads too slowly is dropped: its outbox is full, and ends.
  void publish(const iolite::outbox& from, const iolite::message& m) {
    iolite::outbox::send_to_all(all_, m, [](iolite::outbox& slow) { slow.close(); }, &from);
  }

  // One that cannot be sent to is found by its receive.
  static iolite::task<> send(iolite::outbox& mail, iolite::stream& peer) {
    static_cast<void>(co_await mail.deliver_to(peer));
    static_cast<void>(peer.shutdown_write());
  }

  members all_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* const model = argc > 1 ? argv[1] : "auto";
  const arguments a = read_arguments(argc - 1, argv + 1, knows_fan);
  room all;
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

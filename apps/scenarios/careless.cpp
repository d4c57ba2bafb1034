// An echo client with a bug: it holds that one receive gives a whole message. So it does on a quiet
// day, and a receive that a fault cuts short breaks it.
#include "scenarios/scenario.hpp"
#include "services/services.hpp"

namespace iolite::app {
namespace {

task<> talk(std::string server) {
  auto peer = co_await connect_at_last(parse(server));
  for (unsigned i = 0; i < 20; ++i) {
    const std::string message = sample_text(100, i);
    const auto sent = co_await peer.send_all(message);
    simulate::check(sent.has_value(), "sent");
    std::array<std::byte, 100> buffer;
    const auto n = co_await peer.recv(buffer);  // recv_all() would be right
    simulate::check(n.has_value(), "received");
    simulate::check(text_of(std::span(buffer).first(*n)) == message, "another message comes back");
  }
}

class careless_story final : public story {
  void build(simulate::world& w, const std::string& model, std::uint64_t) override {
    const auto server = w.add_host("server"), client = w.add_host("client");
    w.serve(server, echo, {.model = model, .listen = {server.at(7000)}});
    w.run(client, model, [=] { return talk(server.at(7000)); });
  }
};

}  // namespace

std::unique_ptr<story> make_careless() { return std::make_unique<careless_story>(); }

}  // namespace iolite::app

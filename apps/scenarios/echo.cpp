// Three clients send to an echo server, in pieces of any size, while what they have sent comes
// back. A connection that the network cuts is made again.
#include "scenarios/scenario.hpp"
#include "services/services.hpp"

namespace iolite::app {
namespace {

using namespace std::chrono_literals;

task<> send_in_pieces(stream& to, std::string_view all) {
  for (std::size_t n = 1; !all.empty(); n = n * 3 % 5000 + 1) {
    const auto sent = co_await to.send_all(all.substr(0, n));
    if (!sent) co_return;  // the receiving side sees it too
    all.remove_prefix(std::min(n, all.size()));
  }
  static_cast<void>(to.shutdown_write());
}

// False: the network has cut the connection.
task<bool> talk_once(endpoint server, std::string all) {
  auto peer = co_await connect_at_last(server);
  std::error_code why;
  const std::string got = co_await in_scope([&](scope& sender) -> task<std::string> {
    sender.spawn(send_in_pieces(peer, all));
    co_return co_await receive_until_end(peer, why);
  });
  simulate::check(all.starts_with(got), "other bytes have come back");
  simulate::check(!why || why == std::errc::connection_reset, why.message());
  co_return got == all;
}

task<> talk(std::string server, std::size_t bytes, unsigned seed) {
  for (int tries = 1; !co_await talk_once(parse(server), sample_text(bytes, seed)); ++tries) {
    simulate::check(tries < 1000, "the bytes do not all come back");
    co_await iolite::sleep(100ms);
  }
}

class echo_story final : public story {
  void build(simulate::world& w, const std::string& model, std::uint64_t) override {
    const auto server = w.add_host("server");
    w.serve(server, echo, {.model = model, .listen = {server.at(7000)}});
    for (unsigned i = 1; i <= 3; ++i) {
      const auto client = w.add_host("client-" + std::to_string(i));
      w.run(client, model, [=] { return talk(server.at(7000), std::size_t{700} * i * i * i, i); });
    }
  }
};

}  // namespace

std::unique_ptr<story> make_echo() { return std::make_unique<echo_story>(); }

}  // namespace iolite::app

// A client talks to a server through a proxy that knows nothing of what they say: bytes, and the
// end of each direction, go through. The server answers in capitals, and a last line after the
// end.
#include "scenarios/scenario.hpp"

#include <cctype>

namespace iolite::app {
namespace {

std::string capitals(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

task<> answer_in_capitals(stream peer) {
  while (const auto got = co_await peer.recv_lease()) {
    if (got->empty()) break;
    if (!co_await peer.send_all(capitals(text_of(got->bytes())))) co_return;
  }
  static_cast<void>(co_await peer.send_all("\nthat was all"));
}

task<> copy(stream& from, stream& to) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto n = co_await from.recv(buffer);
    if (!n || *n == 0) break;
    if (!co_await to.send_all(std::span<const std::byte>(buffer).first(*n))) break;
  }
  static_cast<void>(to.shutdown_write());
}

task<> relay(stream client, endpoint upstream) {
  auto server = co_await connect_at_last(upstream);
  co_await in_scope([&](scope& both) -> task<> {
    both.spawn(copy(client, server));
    co_await copy(server, client);
  });
}

task<> send_whole(stream& to, std::string_view all) {
  const auto sent = co_await to.send_all(all);
  simulate::check(sent.has_value(), "sent");
  static_cast<void>(to.shutdown_write());
}

task<> talk(std::string proxy, std::size_t bytes, unsigned seed) {
  auto peer = co_await connect_at_last(parse(proxy));
  const std::string all = sample_text(bytes, seed);
  std::error_code why;
  const std::string got = co_await in_scope([&](scope& sender) -> task<std::string> {
    sender.spawn(send_whole(peer, all));
    co_return co_await receive_until_end(peer, why);
  });
  simulate::check(!why, why.message());
  simulate::check(got == capitals(all) + "\nthat was all", "another answer");
}

class relay_story final : public story {
  void build(simulate::world& w, const std::string& model, std::uint64_t) override {
    const auto server = w.add_host("server"), proxy = w.add_host("proxy");
    w.serve(server, answer_in_capitals, {.model = model, .listen = {server.at(7000)}});
    const auto through = [=](stream s) { return relay(std::move(s), parse(server.at(7000))); };
    w.serve(proxy, through, {.model = model, .listen = {proxy.at(8000)}});
    for (unsigned i = 1; i <= 3; ++i) {
      const auto client = w.add_host("client-" + std::to_string(i));
      w.run(client, model, [=] { return talk(proxy.at(8000), std::size_t{9'000} * i, i); });
    }
  }
};

}  // namespace

std::unique_ptr<story> make_relay() { return std::make_unique<relay_story>(); }

}  // namespace iolite::app

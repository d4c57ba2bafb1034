// A client sends its whole question and ends its side; the server answers when it has seen that
// end, and what it answers depends on every byte.
#include "scenarios/scenario.hpp"

namespace iolite::app {
namespace {

std::string sum_of(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return std::to_string(text.size()) + " bytes, " + std::to_string(h);
}

task<> answer_at_the_end(stream peer) {
  std::error_code why;
  const std::string all = co_await receive_until_end(peer, why);
  if (!why) static_cast<void>(co_await peer.send_all(sum_of(all)));
}

task<> ask(std::string server, std::size_t bytes, unsigned seed) {
  auto peer = co_await connect_at_last(parse(server));
  const std::string question = sample_text(bytes, seed);
  const auto sent = co_await peer.send_all(question);
  simulate::check(sent.has_value(), "sent");
  simulate::check(peer.shutdown_write().has_value(), "ended");
  std::error_code why;
  const std::string answer = co_await receive_until_end(peer, why);
  simulate::check(!why, why.message());
  simulate::check(answer == sum_of(question), "another answer: " + answer);
}

class half_close_story final : public story {
  void build(simulate::world& w, const std::string& model, std::uint64_t) override {
    const auto server = w.add_host("server");
    w.serve(server, answer_at_the_end, {.model = model, .listen = {server.at(7000)}});
    for (unsigned i = 0; i < 4; ++i) {
      const auto client = w.add_host("client-" + std::to_string(i + 1));
      w.run(client, model, [=] { return ask(server.at(7000), std::size_t{40'000} * i, i); });
    }
  }
};

}  // namespace

std::unique_ptr<story> make_half_close() { return std::make_unique<half_close_story>(); }

}  // namespace iolite::app

// One program publishes, many subscribe through a hub, and one of them reads slowly. All get all
// messages in order, and the slow one holds nobody up.
#include "scenarios/scenario.hpp"

namespace iolite::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t subscribers = 8, messages = 60;
constexpr clock::duration slowness = 100ms;

std::string message_text(std::size_t i) {
  return sample_text(10 + i * 7, static_cast<unsigned>(i));
}

class fanout_story final : public story {
  task<> publish_to_all(frames& from) {
    static_cast<void>(co_await all_there_.wait());
    for (;;) {
      const auto m = co_await from.receive();
      if (!m) break;
      const auto shared = framed(*m);
      simulate::check(shared.has_value(), "short enough");
      for (const auto& box : boxes_) must(bool(box->try_send(*shared)), "an outbox is full");
    }
    for (const auto& box : boxes_) box->close();
  }
  task<> deliver(stream& to) {
    const auto mine = std::make_shared<outbox>(messages);
    boxes_.push_back(mine);
    if (boxes_.size() == subscribers) all_there_.set();
    static_cast<void>(co_await mine->deliver_to(to));
  }
  task<> hub(stream peer) {
    frames f(peer);
    const auto hello = co_await f.receive();
    if (!hello) co_return;
    if (text_of(*hello) == "publish") co_await publish_to_all(f);
    else co_await deliver(peer);
  }

  static task<> publish(std::string hub) {
    auto s = co_await connect_at_last(parse(hub));
    frames f(s);
    bool sent = (co_await f.send("publish")).has_value();
    for (std::size_t i = 0; i < messages && sent; ++i) {
      sent = (co_await f.send(message_text(i))).has_value();
      co_await iolite::sleep(1ms);
    }
    simulate::check(sent, "published");
    static_cast<void>(s.shutdown_write());
    std::array<std::byte, 1> end;
    static_cast<void>(co_await s.recv(end));
  }
  static task<> subscribe(std::string hub, bool slow, clock::duration& took) {
    auto s = co_await connect_at_last(parse(hub));
    if (slow) static_cast<void>(s.set_buffers(2048, 2048));
    const auto begin = s.on()->now();
    frames f(s);
    simulate::check((co_await f.send("subscribe")).has_value(), "subscribed");
    for (std::size_t i = 0; i < messages; ++i) {
      const auto m = co_await f.receive();
      simulate::check(m.has_value(), "message " + std::to_string(i));
      simulate::check(text_of(*m) == message_text(i), "another message");
      if (slow) co_await iolite::sleep(slowness);
    }
    const auto end = co_await f.receive();
    simulate::check(!end && end.error() == errc::end_of_stream, "the end");
    took = s.on()->now() - begin;
  }

  void build(simulate::world& w, const std::string& model, std::uint64_t) override {
    const auto server = w.add_host("hub");
    w.serve(server, [this](stream s) { return hub(std::move(s)); },
            {.model = model, .listen = {server.at(7000)}});
    for (std::size_t i = 0; i < subscribers; ++i) {
      const bool slow = i == 0;
      const auto h = w.add_host(slow ? "slow" : "subscriber-" + std::to_string(i));
      w.run(h, model, [=, this] { return subscribe(server.at(7000), slow, took_[i]); });
    }
    w.run(w.add_host("publisher"), model, [=] { return publish(server.at(7000)); });
  }
  std::string verdict() const override {
    for (std::size_t i = 1; i < subscribers; ++i) {
      if (took_[i] > messages * slowness) return "a fast subscriber had to wait for the slow one";
    }
    return {};
  }

  event all_there_;
  std::vector<std::shared_ptr<outbox>> boxes_;
  std::array<clock::duration, subscribers> took_{};
};

}  // namespace

std::unique_ptr<story> make_fanout() { return std::make_unique<fanout_story>(); }

}  // namespace iolite::app

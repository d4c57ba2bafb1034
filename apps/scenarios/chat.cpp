// A chat: what one member says all get, in one order, which is the same for all; a late member
// gets what was said before. What a member says stays in the order it was said.
#include "scenarios/scenario.hpp"

#include <map>

namespace iolite::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t members = 5, sayings = 20, in_all = members * sayings;

class chat_story final : public story {
  void say(std::span<const std::byte> text) {
    const auto line = framed(text);
    simulate::check(line.has_value(), "short enough");
    for (const auto& box : boxes_) must(bool(box->try_send(*line)), "an outbox is full");
    said_.push_back(*line);
  }
  task<> listen_to(frames& member) {
    while (const auto line = co_await member.receive()) say(*line);
  }
  static task<> tell(outbox& from, stream& member) {
    static_cast<void>(co_await from.deliver_to(member));
  }
  task<> room(stream member) {
    const auto mine = std::make_shared<outbox>(in_all);
    for (const message& line : said_) mine->try_send(line);
    boxes_.push_back(mine);
    frames f(member);
    co_await in_scope([&](scope& telling) -> task<> {
      telling.spawn(tell(*mine, member));
      co_await listen_to(f);
      std::erase(boxes_, mine);
      mine->close();
    });
  }

  static task<> talk(frames& to, std::size_t member, std::uint64_t seed) {
    chance c(seed);
    for (std::size_t i = 0; i < sayings; ++i) {
      const auto text = std::to_string(member) + " " + std::to_string(i);
      const auto sent = co_await to.send(text);
      simulate::check(sent.has_value(), "said");
      co_await iolite::sleep(std::chrono::microseconds(c.below(5000)));
    }
  }
  task<> be_member(std::string room, std::size_t member, std::uint64_t seed) {
    co_await iolite::sleep(std::chrono::milliseconds(chance(seed).below(50)));
    auto s = co_await connect_at_last(parse(room));
    frames f(s);
    co_await in_scope([&](scope& talking) -> task<> {
      talking.spawn(talk(f, member, seed));
      for (std::size_t i = 0; i < in_all; ++i) {
        const auto line = co_await f.receive();
        simulate::check(line.has_value(), "a line");
        heard_[member].emplace_back(text_of(*line));
      }
    });
  }

  void build(simulate::world& w, const std::string& model, std::uint64_t seed) override {
    const auto server = w.add_host("room");
    w.serve(server, [this](stream s) { return room(std::move(s)); },
            {.model = model, .listen = {server.at(7000)}});
    for (std::size_t i = 0; i < members; ++i) {
      const auto h = w.add_host("member-" + std::to_string(i));
      w.run(h, model, [=, this] { return be_member(server.at(7000), i, seed * members + i); });
    }
  }
  std::string verdict() const override {
    for (const auto& lines : heard_) {
      if (lines != heard_[0]) return "two members have heard different things";
    }
    std::map<std::string, int> next;
    for (const std::string& line : heard_[0]) {
      const auto gap = line.find(' ');
      if (std::stoi(line.substr(gap)) != next[line.substr(0, gap)]++)
        return "out of order: " + line;
    }
    return {};
  }

  std::vector<message> said_;
  std::vector<std::shared_ptr<outbox>> boxes_;
  std::array<std::vector<std::string>, members> heard_;
};

}  // namespace

std::unique_ptr<story> make_chat() { return std::make_unique<chat_story>(); }

}  // namespace iolite::app

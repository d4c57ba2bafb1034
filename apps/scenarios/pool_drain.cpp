// Clients keep pools of connections to a server, which drains in the midst of it: it takes no more
// connections, answers what it has, and ends. The clients go on at another one; every question gets
// its answer.
#include "scenarios/scenario.hpp"

namespace iolite::app {
namespace {

using namespace std::chrono_literals;

constexpr unsigned clients = 3, pool = 4, questions = 60;

std::string answer_to(std::string_view question) {
  return "the answer to " + std::string(question);
}

class pool_drain_story final : public story {
  // Idle connections look now and then whether it is time to go.
  task<> answer(stream peer) {
    peer.set_idle_timeout(20ms);
    frames f(peer);
    for (;;) {
      const auto question = co_await f.receive();
      if (!question && question.error() == std::errc::timed_out && !draining_.is_set()) continue;
      if (!question) co_return;
      ++taken_;
      const std::string a = answer_to(text_of(*question));
      peer.set_idle_timeout(0ms);
      if (co_await f.send(a)) ++answered_;
      else ++cut_;
      peer.set_idle_timeout(20ms);
    }
  }
  task<> accept_all(listener& from, scope& connections) {
    for (;;) {
      auto s = co_await from.accept();
      if (s) connections.spawn(answer(std::move(*s)));
      else if (s.error() == std::errc::operation_canceled) co_return;
    }
  }
  task<> serve_until_drained(std::string at) {
    const context c = co_await here{};
    auto l = listener::open(*c.on, parse(at));
    simulate::check(l.has_value(), "listening");
    co_await in_scope([&](scope& connections) -> task<> {
      co_await in_scope([&](scope& accepting) -> task<> {
        accepting.spawn(accept_all(*l, connections));
        static_cast<void>(co_await draining_.wait());
        accepting.cancel();
      });
      l->close();
    });
  }

  task<> drain_after(clock::duration length) {
    co_await iolite::sleep(length);
    draining_.set();
  }

  // Where somebody answers; the first one has drained at some time.
  static task<stream> connect_to_one(endpoint first, endpoint second) {
    for (;;) {
      auto s = co_await stream::connect(first, 1s);
      if (!s) s = co_await stream::connect(second, 1s);
      if (s) co_return std::move(*s);
    }
  }
  static task<bool> ask(stream& of, const std::string& question) {
    frames f(of);
    if (!co_await f.send(question)) co_return false;
    const auto a = co_await f.receive();
    if (!a) co_return false;
    simulate::check(text_of(*a) == answer_to(question), "another answer");
    co_return true;
  }
  static task<> work(endpoint first, endpoint second, unsigned& next) {
    stream s;
    while (next < questions) {
      const std::string question = "question " + std::to_string(next++);
      for (;;) {
        if (!s.is_open()) s = co_await connect_to_one(first, second);
        if (co_await ask(s, question)) break;
        s.close();
      }
      co_await iolite::sleep(1ms);
    }
  }
  static task<> client(std::string first, std::string second) {
    unsigned next = 0;
    co_await in_scope([&](scope& workers) -> task<> {
      for (unsigned i = 0; i < pool; ++i) workers.spawn(work(parse(first), parse(second), next));
      co_return;
    });
  }

  void build(simulate::world& w, const std::string& model, std::uint64_t seed) override {
    const auto first = w.add_host("first"), second = w.add_host("second");
    w.run(first, model, [=, this] { return serve_until_drained(first.at(7000)); });
    w.serve(second, [this](stream s) { return answer(std::move(s)); },
            {.model = model, .listen = {second.at(7000)}});
    const auto when = std::chrono::milliseconds(5 + chance(seed).below(30));
    w.run(first, model, [=, this] { return drain_after(when); });
    for (unsigned i = 1; i <= clients; ++i) {
      const auto h = w.add_host("client-" + std::to_string(i));
      w.run(h, model, [=] { return client(first.at(7000), second.at(7000)); });
    }
  }
  std::string verdict() const override {
    if (taken_ < clients * questions) return "fewer questions were taken than asked";
    return answered_ + cut_ == taken_ ? "" : "a question that was taken has no answer";
  }

  event draining_;
  unsigned taken_ = 0, answered_ = 0, cut_ = 0;
};

}  // namespace

std::unique_ptr<story> make_pool_drain() { return std::make_unique<pool_drain_story>(); }

}  // namespace iolite::app

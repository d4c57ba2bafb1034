// A server is stopped at any moment, in any way, while clients send requests and a successor may
// start at the same address. Whatever it was doing:
//   - a request that had arrived is answered, or its connection ends cleanly without an answer;
//   - an answer that has begun comes to its end;
//   - serve() returns in time, and says what the drain has cost;
//   - what belongs to others is left alone: the successor serves, its socket file is there.
//
// DRAIN_STOPS: how many stops for each model. DRAIN_SEED: only this one, and what it did.
#include "service.hpp"

#include "iolite/simulate.hpp"
#include "support/model_names.hpp"
#include "support/sockets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

// --- what the clients do, and have seen ---

struct request {
  job what;
  std::uint32_t pause_us = 0;  // before it
  clock::duration sent_at{};
};

struct seen {
  std::size_t answered = 0, ended = 0;
  std::vector<std::string> wrong;
};

class run {
 public:
  run(std::uint64_t seed, std::string model, std::size_t trace_lines = 0)
      : plan_(seed), model_(std::move(model)), world_(seed, options(trace_lines)),
        server_(world_.add_host("server")), client_host_(world_.add_host("clients")) {}

  void play();
  [[nodiscard]] const std::vector<std::string>& wrong() const noexcept { return seen_.wrong; }
  [[nodiscard]] std::string trace() const { return world_.trace(); }
  [[nodiscard]] const seen& what() const noexcept { return seen_; }
  [[nodiscard]] std::string describe() const {
    return std::string(name_of(plan_.by)) + " at " + std::to_string(plan_.stop / 1us) + " us, " +
           address() +
           (plan_.successor ? ", a successor at " + std::to_string(plan_.successor_begins / 1us)
                            : ", no successor") +
           (plan_.faults ? ", faults" : "") + (plan_.small_buffers ? ", small buffers" : "");
  }

 private:
  static constexpr clock::duration drain_timeout = 1s;

  simulate::options options(std::size_t trace_lines) const {
    simulate::options o;
    o.trace_lines = trace_lines;
    if (plan_.faults) {
      o.faults = simulate::faults::some();
      // These lose requests by themselves, or let them come late: to a socket that is closed.
      o.faults.abort_accept = o.faults.delay = 0;
      o.faults.short_receive = o.faults.again = 0;
    }
    if (plan_.small_buffers) {  // what is not read stays with the server
      o.send_buffer = 65'536;
      o.receive_buffer = 4096;
    }
    return o;
  }
  [[nodiscard]] std::string address() const {
    return plan_.unix_path ? "unix:/run/service" : server_.at(7000);
  }
  [[nodiscard]] const simulate::host& where_clients_are() const {
    return plan_.unix_path ? server_ : client_host_;
  }
  serve_options server_options() const {
    serve_options o;
    o.model = model_;
    o.listen = {address()};
    o.workers = 3;
    o.drain_timeout = drain_timeout;
    return o;
  }
  void fault(std::string what) { seen_.wrong.push_back(std::move(what)); }
  void stop();
  void start_successor();
  task<> client(unsigned number);
  task<std::size_t> ask(stream& s, std::span<request> all, bool slowly);
  task<> send(stream& s, std::span<request> all);
  task<bool> is_answered(stream& s, const request& r, bool slowly);
  task<> ask_successor();

  plan plan_;
  const std::string model_;
  simulate::world world_;
  const simulate::host server_, client_host_;
  seen seen_;
  std::optional<clock::duration> returned_, killed_;
  bool successor_listens_ = false;
};

task<> run::send(stream& s, std::span<request> all) {
  for (request& r : all) {
    if (r.pause_us > 0) static_cast<void>(co_await iolite::sleep(1us * r.pause_us));
    const auto sent = co_await s.send_all(std::as_bytes(std::span(&r.what, 1)));
    if (!sent) co_return;
    r.sent_at = world_.elapsed();
  }
}

// Sends them all, and reads the answers meanwhile. How many came.
task<std::size_t> run::ask(stream& s, std::span<request> all, bool slowly) {
  std::size_t answered = 0;
  co_await in_scope([&](scope& children) -> task<> {
    children.spawn(send(s, all));
    for (; answered < all.size(); ++answered) {
      const bool comes = co_await is_answered(s, all[answered], slowly);
      if (!comes) co_return children.cancel();
    }
  });
  co_return answered;
}

task<bool> run::is_answered(stream& s, const request& r, bool slowly) {
  std::string got(r.what.bytes, '\0');
  std::size_t size = 0;
  std::error_code why;
  while (size < got.size()) {
    if (slowly) static_cast<void>(co_await iolite::sleep(2ms));
    const auto into = std::as_writable_bytes(std::span(got)).subspan(size);
    const auto n = co_await s.recv(into.first(std::min<std::size_t>(into.size(), 8192)));
    if (!n) why = n.error();
    if (!n || *n == 0) break;
    size += *n;
  }
  if (size == got.size()) {
    if (got != pattern(r.what.bytes, r.what.work_us)) fault("another answer than was asked for");
    co_return true;
  }
  if (plan_.is_hard()) co_return false;
  if (size > 0) {
    fault("an answer was cut after " + std::to_string(size) + " of " + std::to_string(got.size()) +
          " bytes: " + why.message());
  }
  constexpr auto on_its_way = 30ms;  // latency, and stalls
  if (why && r.sent_at != clock::duration::zero() && r.sent_at + on_its_way < plan_.stop) {
    fault("a request sent at " + std::to_string(r.sent_at / 1us) + " us: " + why.message());
  }
  co_return false;
}

task<> run::client(unsigned number) {
  std::mt19937_64 chance(plan_.seed * 1000 + number);
  const auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(chance() % n); };
  const auto at = endpoint::parse(address());
  const bool slowly = below(4) == 0;
  static_cast<void>(co_await iolite::sleep(1us * below(40'000)));
  for (int connections = 0; connections < 20 && world_.elapsed() < plan_.stop + 300ms;
       ++connections) {
    auto s = co_await stream::connect(*at);
    if (!s) {
      static_cast<void>(co_await iolite::sleep(1us * (1000 + below(20'000))));
      continue;
    }
    for (unsigned left = 1 + below(5); left > 0; --left) {
      std::vector<request> all(1 + below(5) * below(2));
      for (request& r : all) {
        if (below(3) == 0) r.what.work_us = below(20'000);
        r.what.bytes = 1 + (below(4) == 0 ? below(100'000) : 10);
        if (below(2) == 0) r.pause_us = below(10'000);
      }
      const std::size_t answered = co_await ask(*s, all, slowly);
      seen_.answered += answered;
      seen_.ended += all.size() - answered;
      if (answered < all.size()) break;
      if (below(2) == 0) static_cast<void>(co_await iolite::sleep(1us * below(15'000)));
    }
    if (below(2) == 0) co_await s->finish(5s);
  }
}

// Once the successor listens, it serves.
task<> run::ask_successor() {
  const auto at = endpoint::parse(address());
  for (int tries = 0; tries < 2000; ++tries) {
    if (successor_listens_ && (returned_ || killed_)) {
      auto s = co_await stream::connect(*at);
      if (!s) {
        fault("the successor cannot be reached: " + s.error().message());
        co_return;
      }
      std::vector<request> one{{{0, 100}}};
      if (co_await ask(*s, one, false) == 0) fault("the successor does not answer");
      co_return;
    }
    static_cast<void>(co_await iolite::sleep(5ms));
  }
  fault("the successor cannot listen");
}

void run::start_successor() {
  serve_options o = server_options();
  o.model = "epoll";
  o.on_listening = [this](const auto&, const auto&) { successor_listens_ = true; };
  world_.serve(server_, serve_jobs, o, "successor", [this](const simulate::world::served& r) {
    if (r || successor_listens_) return;
    world_.at(world_.elapsed() + 5ms, [this] { start_successor(); });  // it is taken yet
  });
}

void run::stop() {
  using enum simulate::world::recipients;
  const auto tell = [this](int number, auto whom) { world_.signal("server", number, whom); };
  switch (plan_.by) {
  case stop_by::term: return tell(SIGTERM, process);
  case stop_by::interrupt: return tell(SIGINT, process);
  case stop_by::term_to_group: return tell(SIGTERM, group);
  case stop_by::interrupt_to_group: return tell(SIGINT, group);
  case stop_by::twice: break;
  }
  tell(SIGTERM, group);
  world_.at(plan_.stop + 1us * plan_.below(20'000), [this, tell] {
    if (returned_) return;
    tell(SIGTERM, group);
    killed_ = world_.elapsed();
  });
}

void run::play() {
  world_.serve(server_, serve_jobs, server_options(), "server", [this](const auto& r) {
    returned_ = world_.elapsed();
    if (!r) return fault("serve(): " + r.error().message);
    if (r->connections_cancelled + r->connections_left > 0 && !plan_.is_hard()) {
      fault(std::to_string(r->connections_cancelled) + " connections cancelled");
    }
    if (r->handler_failures > 0) fault("a handler or its process failed");
  });
  for (unsigned i = 0; i < plan_.clients; ++i) {
    world_.run(where_clients_are(), "epoll", [this, i] { return client(i); }, "client");
  }
  if (plan_.successor) {
    world_.at(plan_.successor_begins, [this] { start_successor(); });
    world_.run(where_clients_are(), "epoll", [this] { return ask_successor(); }, "last client");
  }
  world_.at(plan_.stop, [this] { stop(); });
  const simulate::report r = world_.finish();
  for (const std::string& f : r.failures) {
    if (!plan_.is_hard() || !f.starts_with("server: ended with status")) fault(f);
  }
  for (const std::string& l : r.leaks) fault("left open: " + l);
  if (r.how != simulate::ending::finished) fault(r.to_string());
  if (!returned_ && !killed_) fault("serve() has not returned");
  const auto stopped = killed_.value_or(plan_.stop);
  if (returned_ && *returned_ > stopped + drain_timeout + 1500ms) {
    fault("serve() returned " + std::to_string((*returned_ - stopped) / 1ms) +
          " ms after the stop");
  }
}

// --- the suite ---

class draining : public testing::TestWithParam<std::string> {};

TEST_P(draining, loses_nothing_and_harms_nobody) {
  const std::uint64_t stops = number_from("DRAIN_STOPS", 60);
  if (const std::uint64_t seed = number_from("DRAIN_SEED", 0); seed > 0) {
    run one(seed, GetParam(), 100'000);
    one.play();
    for (const std::string& w : one.wrong()) ADD_FAILURE() << one.describe() << ": " << w;
    std::fputs(one.trace().c_str(), stdout);
    return;
  }
  std::size_t answered = 0, ended = 0;
  for (std::uint64_t seed = 1; seed <= stops; ++seed) {
    run one(seed, GetParam());
    one.play();
    answered += one.what().answered;
    ended += one.what().ended;
    for (const std::string& w : one.wrong()) {
      ADD_FAILURE() << GetParam() << ", seed " << seed << ", " << one.describe() << ": " << w;
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(answered, stops) << "hardly anything was asked";
  EXPECT_GT(ended, 0U) << "no stop came while something was asked";
}

std::vector<std::string> models_to_stop() {
  std::vector<std::string> out;
  for (const char* engine :
       {"nonblocking", "select", "poll", "epoll", "signal", "io_uring", "blocking"}) {
    for (const char* placement : {"shared", "thread", "process", "pool", "prefork"}) {
      const std::string model = std::string(engine) + "/" + placement;
      if (model != "blocking/shared") out.push_back(model);
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(simulated, draining, testing::ValuesIn(models_to_stop()), name_by_model);

}  // namespace
}  // namespace iolite_test

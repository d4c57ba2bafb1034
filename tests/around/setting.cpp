// See setting.hpp.
#include "setting.hpp"

#include "iolite/simulate.hpp"
#include "support/model_names.hpp"
#include "support/served.hpp"
#include "support/streams.hpp"

#include <algorithm>
#include <csignal>
#include <new>
#include <stdexcept>
#include <sys/mman.h>
#include <utility>

namespace iolite_test {

using namespace iolite;

namespace {

std::vector<std::string> all_models() {
  std::vector<std::string> out;
  for (const model_info& m : models()) {
    if (m.available) out.push_back(m.model);
    if (m.engine != "posix_aio" && m.engine != "kqueue") out.push_back(m.model + "/simulated");
  }
  return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(serve, around, testing::ValuesIn(all_models()), name_by_model);

notes& shared_notes() {
  void* const p =
      ::mmap(nullptr, sizeof(notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return *new (p) notes;
}

void around::SetUp() { notes_ = &shared_notes(); }

bool around::simulated() const { return GetParam().ends_with("/simulated"); }

std::string around::model() const { return GetParam().substr(0, GetParam().find("/simulated")); }

placement around::placed() const {
  const auto all = models();
  return std::ranges::find(all, model(), &model_info::model)->placement;
}

serve_options around::options() const {
  serve_options o;
  o.model = model();
  o.workers = workers;
  o.drain_timeout = 5s;
  o.engine.when_idle = engine_options::idle::sleep;
  return o;
}

unsigned around::processes() const { return placed() == placement::prefork ? workers : 1; }

unsigned around::loops() const {
  const bool many = placed() == placement::prefork || (placed() == placement::pool && !blocking());
  return many ? workers : 1;
}

bool around::outcome::says(const std::string& words) const {
  return std::ranges::any_of(
      log, [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

around::outcome around::play(handler h, const serve_options& o, const client& c) {
  return simulated() ? play_simulated(std::move(h), o, c) : play_here(std::move(h), o, c);
}

around::outcome around::play_here(handler h, const serve_options& o, const client& c) {
  served server(std::move(h), o);
  if (!server.listening()) return {server.error(), {}, {}};
  bool stopped = false;  // a second signal would end it at once
  const service s{server.at(), [&] {
                    if (!std::exchange(stopped, true)) server.signal(SIGTERM);
                  }};
  auto on = make_engine("poll");
  if (!on) throw std::runtime_error(on.error().message);
  (*on)->run(c(s));
  s.stop();
  EXPECT_EQ(server.wait(), 0);
  return {server.error(), server.report(), server.log()};
}

around::outcome around::play_simulated(handler h, serve_options o, const client& c) {
  outcome out;
  simulate::world w(1);
  const auto server = w.add_host("server"), peer = w.add_host("client");
  const auto at = endpoint::parse(server.at(7000));
  if (!at) throw std::runtime_error(at.error().message);
  if (o.listen == serve_options().listen) o.listen = {at->to_string()};
  o.log = [&](std::string_view line) { out.log.emplace_back(line); };
  bool stopped = false;
  const service s{*at, [&] {
                    if (!std::exchange(stopped, true)) w.signal("server", SIGTERM);
                  }};
  w.serve(server, std::move(h), o, "server", [&](const simulate::world::served& r) {
    if (r) out.report = *r;
    else out.error = r.error().message;
  });
  w.run(peer, "poll", [&]() -> task<> {  // tidy: allow captures, it is kept
    if (!out.error.empty()) co_return;
    co_await c(s);
  });
  const simulate::report r = w.finish();
  EXPECT_TRUE(r.ok()) << r.to_string();
  return out;
}

task<stream> connected(endpoint to) {
  auto s = co_await stream::connect(to);
  if (!s) throw std::system_error(s.error(), "connect");
  co_return std::move(*s);
}

task<> expect_echo(stream& s, std::string text) {
  const auto sent = co_await send_text(s, text);
  EXPECT_TRUE(sent);
  const auto got = co_await receive_exactly(s, text.size());
  EXPECT_TRUE(got && *got == text) << text;
}

}  // namespace iolite_test

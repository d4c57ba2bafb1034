// See stages.hpp.
#include "stages.hpp"

#include "iolite/simulate.hpp"
#include "support/engine_test.hpp"

#include <atomic>
#include <unistd.h>

namespace iolite_test::differential {

using namespace iolite;

namespace {

task<> play_all(performance& p, int parties) {
  scope all;
  for (int i = 0; i < parties; ++i) all.spawn(p.play(i));
  co_await all.join();
}

// Names that no other performance of this machine has. Connections that have ended keep their pair
// of ports for a minute: an address of its own for each script leaves enough of them.
performance on_this_machine(const script& s) {
  static std::atomic<unsigned> count;
  const unsigned n = ++count;
  const std::string path =
      "unix:@iolite-differential-" + std::to_string(getpid()) + "-" + std::to_string(n) + "-";
  const std::string ip = "127." + std::to_string(1 + getpid() % 200) + "." +
                         std::to_string(n / 250 % 250) + "." + std::to_string(1 + n % 250) + ":0";
  return {s, path, ip, 0ms};
}

stage real_stage(const std::string& name) {
  const std::shared_ptr<iolite::engine> on = new_engine(name);
  const auto play = [on](const script& s) {
    performance p = on_this_machine(s);
    on->run(play_all(p, s.parties));
    return p.seen();
  };
  return {name, true, play};
}

sights play_simulated(const script& s, const std::string& model, const simulate::faults& f) {
  performance p(s, "unix:@", "127.0.0.1:0", 20ms);
  simulate::world w(s.seed, {.faults = f});
  const auto host = w.add_host("host");
  for (int i = 0; i < s.parties; ++i) {
    w.run(host, model, [&p, i] { return p.play(i); }, "party " + std::to_string(i));
  }
  const auto report = w.finish();
  sights seen = p.seen();
  if (!report.ok()) seen.push_back({report.to_string()});
  return seen;
}

// What is late is another matter: these are over within milliseconds.
simulate::faults faults_at_once() {
  simulate::faults f = simulate::faults::some();
  f.split = f.delay = f.stall = f.abort_accept = 0;
  return f;
}

bool can_be_simulated(const std::string& engine) {
  simulate::world w(1);
  w.run(w.add_host("host"), engine, []() -> task<> { co_return; });
  return w.finish().ok();
}

}  // namespace

stage stage_that_differs() {
  return {"poll with resets", true,
          [](const script& s) { return play_simulated(s, "poll", {.reset = 0.1}); }};
}

std::vector<stage> all_stages() {
  std::vector<stage> out;
  for (const std::string& name : engine_names(true)) out.push_back(real_stage(name));
  for (const std::string& name : engine_names(false)) {
    if (!can_be_simulated(name)) continue;
    const auto in = [&](const std::string& how, const simulate::faults& f) {
      // Difference `children`: there a blocking engine has no thread for a child task.
      out.push_back({name + how, name != "blocking",
                     [=](const script& s) { return play_simulated(s, name, f); }});
    };
    in(" simulated", {});
    in(" with faults", faults_at_once());
  }
  return out;
}

}  // namespace iolite_test::differential

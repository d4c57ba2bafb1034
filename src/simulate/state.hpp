// What a world consists of: a machine, its programs, and who of them is still at work.
#pragma once
#include "iolite/simulate.hpp"
#include "simulate/options.hpp"
#include "simulate/program.hpp"

#include <algorithm>
#include <map>

namespace iolite::simulate {

struct world::state {
  state(std::uint64_t s, const options& o) : seed(s), wanted(o), machine(s) { apply(o, machine); }

  // What runs on a host, to begin it anew after a crash.
  struct plan {
    std::size_t at;
    std::string name;
    bool serves;
    std::function<void(program&)> body;
    bool begun_anew = false;
  };
  void start(plan what);
  program& add(std::size_t at, std::string name);

  [[nodiscard]] bool all_listen() const {
    return std::ranges::all_of(
        programs, [](const auto& p) { return !p->is_server || p->listens || is_gone(*p); });
  }
  // Have all programs ended, or all but servers?
  [[nodiscard]] bool over(bool servers);
  // It has ended, or is never to go on: its host has crashed.
  [[nodiscard]] static bool is_gone(program& p) noexcept {
    return p.over || p.os().where().held_until == never;
  }

  // --- hosts ---
  [[nodiscard]] simulated::host& host_of(std::size_t index) { return *machine.net.hosts()[index]; }
  // Those that have not ended.
  template <class Visit>
  void each_process_on(std::size_t index, Visit visit) {
    for (const auto& p : programs) {
      if (&p->os().where().at != &host_of(index)) continue;
      p->os().each([&](simulated::process& q) {
        if (q.where().held_until != never) visit(q);
      });
    }
  }
  void crash(std::size_t index);
  void restart(std::size_t index);
  void flap(std::size_t a, std::size_t b, clock::duration now, clock::duration then, bool cut);
  void block(std::size_t from, std::size_t to, bool on);

  // Lets the others run.
  template <class Holds>
  ending go_on(clock::time_point until, Holds holds, ending when_it_holds) {
    const std::uint64_t calls_max = machine.trace.calls() + 20'000'000;
    machine.awake = nullptr;  // who drives the world is no program
    const auto over_or_endless = [&] { return holds() || machine.trace.calls() > calls_max; };
    switch (machine.turns.watch(until, over_or_endless)) {
    case simulated::waited::holds: return holds() ? when_it_holds : ending::time_is_up;
    case simulated::waited::time_is_up: return ending::time_is_up;
    case simulated::waited::stuck: break;
    }
    return ending::dead_lock;
  }

  [[nodiscard]] clock::time_point last_moment() const {
    const auto now =
        std::max(machine.time.now(), deadline_after(machine.time.start, wanted.faults_for));
    return deadline_after(now, wanted.ends_within);
  }

  [[nodiscard]] clock::duration elapsed() const noexcept { return machine.time.elapsed(); }

  report tell(ending how);
  [[nodiscard]] std::vector<injected_fault> injected() const;
  // Cancels the rest. False: a program does not end all the same and stays where it is.
  bool end_all();

  const std::uint64_t seed;
  const options wanted;
  simulated::machine machine;
  std::vector<std::unique_ptr<program>> programs;
  std::vector<plan> plans;  // of each of them
  std::size_t went_on = 0;  // one of them
  bool servers_stop = false;  // also those that begin anew
  std::size_t planned = 0;  // actions whose time has not come
  std::map<std::uint64_t, std::string> planned_faults;  // their names, by their numbers
};

}  // namespace iolite::simulate

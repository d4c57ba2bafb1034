// See state.hpp.
#include "simulate/state.hpp"

namespace iolite::simulate {

using simulated::fault_kind;

void world::state::start(plan what) {
  program& p = add(what.at, what.name);
  p.is_server = what.serves;
  if (p.is_server && servers_stop) p.stop();
  machine.turns.start([this, &p, own = what.body] {
    p.os().run([&] {
      if (!p.is_server) machine.turns.wait(nullptr, never, [&] { return all_listen(); });
      p.os().stand_still();
      own(p);
      p.os().end_threads();
    });
    p.over = true;
  });
  plans.push_back(std::move(what));
}

program& world::state::add(std::size_t at, std::string name) {
  auto& h = *machine.net.hosts()[at];
  if (name.empty()) name = h.name;
  programs.push_back(std::make_unique<program>(machine, h, name, wanted.descriptors_max));
  programs.back()->os().where().signals.queue_max = wanted.signals_max;
  return *programs.back();
}

// Asked for each turn: who went on last time does so most probably.
bool world::state::over(bool servers) {
  // A crashed host may come back while something is planned.
  const auto goes_on = [&](const auto& p) {
    return !p->over && (servers || !p->is_server) && (!is_gone(*p) || planned > 0);
  };
  if (went_on < programs.size() && goes_on(programs[went_on])) return false;
  const auto it = std::ranges::find_if(programs, goes_on);
  went_on = static_cast<std::size_t>(it - programs.begin());
  return it == programs.end();
}

report world::state::tell(ending how) {
  report r;
  r.how = how;
  r.seed = seed;
  r.elapsed = machine.time.elapsed();
  r.hash = machine.trace.hash();
  r.calls = machine.trace.calls();
  for (std::size_t i = 0; i < simulated::fault_kinds; ++i) {
    const std::uint64_t n = machine.trace.faults(static_cast<fault_kind>(i));
    if (n > 0) r.faults.emplace_back(simulated::fault_names[i], n);
  }
  for (const auto& p : programs) {
    if (!is_gone(*p) && (how == ending::dead_lock || how == ending::time_is_up)) p->tell(r.waiting);
    if (!p->failure().empty()) r.failures.push_back(p->name() + ": " + p->failure());
    if (p->os().has_ended()) r.failures.push_back(p->name() + ": " + p->os().how_it_ended());
    if (p->over) p->tell_leaks(r.leaks);
  }
  return r;
}

std::vector<injected_fault> world::state::injected() const {
  std::vector<injected_fault> out;
  for (const auto& f : machine.draws.all) {
    const auto named = planned_faults.find(f.number);
    if (named != planned_faults.end()) out.push_back({f.number, named->second, {}, f.when});
    else
      out.push_back({f.number,
                     std::string(simulated::fault_names[static_cast<std::size_t>(f.what)]),
                     machine.process_names[f.who], f.when});
  }
  return out;
}

bool world::state::end_all() {
  machine.faults = {};
  for (const auto& h : machine.net.hosts()) {
    for (const auto& g : machine.net.hosts()) machine.net.block(*h, *g, false);
  }
  for (const auto& p : programs) {
    p->os().each([](simulated::process& q) { q.resume_for_the_end(); });
    p->cancel();
  }
  const auto until = machine.time.now() + std::chrono::minutes(10);
  const auto all_over = [this] { return machine.turns.running() == 0; };
  if (go_on(until, all_over, ending::finished) == ending::finished) {
    return true;
  }
  machine.turns.abandon();
  return false;
}

// --- hosts ---

// A running program may hold a lock: then a little later.
void world::state::crash(std::size_t index) {
  simulated::host& h = host_of(index);
  if (!h.is_up) return;
  if (machine.awake && &machine.awake->at == &h) {
    return machine.time.after(std::chrono::microseconds(1), [this, index] { crash(index); });
  }
  machine.crash(h);
  each_process_on(index, [](simulated::process& p) { p.where().held_until = never; });
}

void world::state::restart(std::size_t index) {
  simulated::host& h = host_of(index);
  if (h.is_up) return;
  h.is_up = true;
  machine.trace.noted(machine.time.elapsed(), "restart: " + h.name);
  for (std::size_t i = 0, end = plans.size(); i < end; ++i) {
    program& p = *programs[i];
    const bool crashed = !p.over && is_gone(p) && !p.os().has_ended();
    if (!crashed || plans[i].at != index || plans[i].begun_anew) continue;
    plans[i].begun_anew = true;
    plan anew = plans[i];
    anew.begun_anew = false;
    start(std::move(anew));
  }
}

void world::state::block(std::size_t from, std::size_t to, bool on) {
  machine.net.block(host_of(from), host_of(to), on);
  machine.trace.noted(machine.time.elapsed(), (on ? "blocked: " : "open: ") + host_of(from).name +
                                                  " to " + host_of(to).name);
}

void world::state::flap(std::size_t a, std::size_t b, clock::duration now, clock::duration then,
                        bool cut) {
  const bool over = machine.time.now() >= machine.faults_until;
  block(a, b, cut && !over);
  block(b, a, cut && !over);
  if (over) return;
  machine.time.after(now, [this, a, b, now, then, cut] { flap(a, b, then, now, !cut); });
}

}  // namespace iolite::simulate

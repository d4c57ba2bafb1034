// See simulate.hpp.
#include "iolite/simulate.hpp"

#include "simulate/program.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

namespace iolite::simulate {
namespace {

using simulated::fault_kind;
using simulated::waited;

simulated::fault_rates rates_of(const faults& f) {
  simulated::fault_rates out;
  const auto set = [&](fault_kind k, double probability) {
    const double millions = std::clamp(probability, 0.0, 1.0) * 1e6;
    out.in_a_million[static_cast<std::size_t>(k)] =
        static_cast<std::uint32_t>(std::lround(millions));
  };
  set(fault_kind::short_receive, f.short_receive);
  set(fault_kind::short_send, f.short_send);
  set(fault_kind::again, f.again);
  set(fault_kind::spurious, f.spurious);
  set(fault_kind::interrupt, f.interrupt);
  set(fault_kind::abort_accept, f.abort_accept);
  set(fault_kind::reset, f.reset);
  set(fault_kind::split, f.split);
  set(fault_kind::delay, f.delay);
  set(fault_kind::stall, f.stall);
  set(fault_kind::short_file, f.short_file);
  set(fault_kind::disk_error, f.disk_error);
  set(fault_kind::no_memory, f.no_memory);
  set(fault_kind::signal_overflow, f.signal_overflow);
  out.delay_max = f.delay_max;
  out.stall_max = f.stall_max;
  return out;
}

simulated::link link_of(const link& l) noexcept {
  return {l.latency_min, l.latency_max, l.bytes_per_second};
}

}  // namespace

faults faults::some() noexcept {
  return {.short_receive = 0.1,
          .short_send = 0.1,
          .again = 0.05,
          .spurious = 0.02,
          .interrupt = 0.05,
          .abort_accept = 0.05,
          .split = 0.3,
          .delay = 0.02,
          .stall = 0.01,
          .short_file = 0.2,
          .signal_overflow = 0.02};
}

std::string host::at(std::uint16_t port) const { return ip_ + ":" + std::to_string(port); }

void check(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

struct world::state {
  state(std::uint64_t s, const options& o) : seed(s), wanted(o), machine(s) {
    machine.faults = rates_of(o.faults);
    machine.net.set_default(link_of(o.network));
    machine.net.ports_first = o.ports_first;
    machine.net.ports_last = std::max(o.ports_first, o.ports_last);
    machine.rings = {o.rings.available,    o.rings.defer_taskrun, o.rings.buffer_rings,
                     o.rings.coop_taskrun, o.rings.ext_arg,       o.rings.entries_max};
    machine.net.send_buffer = o.send_buffer;
    machine.net.receive_buffer = o.receive_buffer;
    machine.trace.keep(o.trace_lines);
    if (o.only) machine.draws.allow_only(*o.only);
    machine.faults_until = deadline_after(machine.time.start, o.faults_for);
  }

  // What runs on a host, to begin it anew after a crash.
  struct plan {
    std::size_t at;
    std::string name;
    bool serves;
    std::function<void(program&)> body;
    bool begun_anew = false;
  };

  void start(plan what) {
    program& p = add(what.at, what.name);
    p.is_server = what.serves;
    machine.turns.start([this, &p, own = what.body] {
      if (!p.is_server) machine.turns.wait(nullptr, never, [&] { return all_listen(); });
      p.os().stand_still();
      own(p);
      p.os().end_threads();
      p.over = true;
      machine.awake = nullptr;
    });
    plans.push_back(std::move(what));
  }

  program& add(std::size_t at, std::string name) {
    auto& h = *machine.net.hosts()[at];
    if (name.empty()) name = h.name;
    const auto number = static_cast<unsigned>(programs.size());
    programs.push_back(std::make_unique<program>(machine, h, number, name, wanted.descriptors_max));
    programs.back()->os().where().signals.queue_max = wanted.signals_max;
    return *programs.back();
  }
  [[nodiscard]] bool all_listen() const {
    return std::ranges::all_of(
        programs, [](const auto& p) { return !p->is_server || p->listens || is_gone(*p); });
  }
  // Asked for each turn: who went on last time does so most probably.
  [[nodiscard]] bool over(bool servers) {
    // A crashed host may come back while something is planned.
    const auto goes_on = [&](const auto& p) {
      return !p->over && (servers || !p->is_server) && (!is_gone(*p) || planned > 0);
    };
    if (went_on < programs.size() && goes_on(programs[went_on])) return false;
    const auto it = std::ranges::find_if(programs, goes_on);
    went_on = static_cast<std::size_t>(it - programs.begin());
    return it == programs.end();
  }
  // It has ended, or its host has crashed.
  [[nodiscard]] static bool is_gone(program& p) noexcept {
    return p.over || p.os().where().held_until == never;
  }
  [[nodiscard]] bool all_over() const {
    return std::ranges::all_of(programs, [](const auto& p) { return p->over; });
  }

  // --- hosts ---
  [[nodiscard]] simulated::host& host_of(std::size_t index) { return *machine.net.hosts()[index]; }
  template <class Visit>
  void each_program_on(std::size_t index, Visit visit) {
    for (const auto& p : programs) {
      if (!is_gone(*p) && &p->os().where().at == &host_of(index)) visit(*p);
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
    switch (machine.turns.wait(nullptr, until, over_or_endless)) {
    case waited::holds: return holds() ? when_it_holds : ending::time_is_up;
    case waited::time_is_up: return ending::time_is_up;
    case waited::stuck: break;
    }
    return ending::dead_lock;
  }

  [[nodiscard]] clock::time_point last_moment() const {
    const auto now =
        std::max(machine.time.now(), deadline_after(machine.time.start, wanted.faults_for));
    return deadline_after(now, wanted.ends_within);
  }

  [[nodiscard]] clock::duration elapsed() const noexcept { return machine.time.elapsed(); }

  report tell(ending how) {
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
      if (!is_gone(*p) && (how == ending::dead_lock || how == ending::time_is_up))
        p->tell(r.waiting);
      if (!p->failure().empty()) r.failures.push_back(p->name() + ": " + p->failure());
      if (p->over) p->tell_leaks(r.leaks);
    }
    return r;
  }

  [[nodiscard]] std::vector<injected_fault> injected() const {
    std::vector<injected_fault> out;
    for (const auto& f : machine.draws.all) {
      const auto named = planned_faults.find(f.number);
      if (named != planned_faults.end()) out.push_back({f.number, named->second, {}, f.when});
      else
        out.push_back({f.number,
                       std::string(simulated::fault_names[static_cast<std::size_t>(f.what)]),
                       programs[f.who]->name(), f.when});
    }
    return out;
  }

  // Who is left is cancelled. False: somebody does not end all the same, and stays where it is.
  bool end_all() {
    machine.faults = {};
    for (const auto& h : machine.net.hosts()) {
      for (const auto& g : machine.net.hosts()) machine.net.block(*h, *g, false);
    }
    for (const auto& p : programs) {
      p->os().where().held_until = machine.time.start;
      if (!p->over) p->cancel();
    }
    const auto until = machine.time.now() + std::chrono::minutes(10);
    if (go_on(until, [this] { return all_over(); }, ending::finished) == ending::finished) {
      return true;
    }
    machine.turns.abandon();
    return false;
  }

  const std::uint64_t seed;
  const options wanted;
  simulated::machine machine;
  std::vector<std::unique_ptr<program>> programs;
  std::vector<plan> plans;  // of each of them
  std::size_t went_on = 0;  // one of them
  std::size_t planned = 0;  // actions whose time has not come
  std::map<std::uint64_t, std::string> planned_faults;  // their names, by their numbers
};

// --- hosts ---

// Who runs is in the middle of something, perhaps with a lock in its hands: then a little later.
void world::state::crash(std::size_t index) {
  simulated::host& h = host_of(index);
  if (!h.is_up) return;
  if (machine.awake && &machine.awake->at == &h) {
    return machine.time.after(std::chrono::microseconds(1), [this, index] { crash(index); });
  }
  machine.crash(h);
  each_program_on(index, [](program& p) { p.os().where().held_until = never; });
}

void world::state::restart(std::size_t index) {
  simulated::host& h = host_of(index);
  if (h.is_up) return;
  h.is_up = true;
  machine.trace.noted(machine.time.elapsed(), "restart: " + h.name);
  for (std::size_t i = 0, end = plans.size(); i < end; ++i) {
    const bool crashed = !programs[i]->over && is_gone(*programs[i]);
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

world::world(std::uint64_t seed, const options& o) : state_(std::make_unique<state>(seed, o)) {}

world::~world() {
  if (!state_->all_over() && !state_->machine.turns.abandoned()) state_->end_all();
  if (state_->machine.turns.abandoned()) {
    static_cast<void>(state_.release());  // its threads stand in it
    return;
  }
  for (const auto& p : state_->programs) p->os().files().clear();
  state_->machine.end();
}

host world::add_host(std::string_view name) {
  auto& net = state_->machine.net;
  const std::size_t index = net.hosts().size();
  if (index >= 250) throw std::runtime_error("a simulated world has at most 250 hosts");
  simulated::host& h = net.add(std::string(name));
  simulated::address a;
  a.family = AF_INET;
  a.ip = {10, 0, 0, static_cast<std::uint8_t>(index + 1)};
  h.addresses.push_back(a);
  h.storage.set_size(state_->wanted.disk_bytes);
  h.sync_max = state_->wanted.sync_max;
  return {index, "10.0.0." + std::to_string(index + 1)};
}

void world::run(const host& on, std::string_view model, std::function<task<void>()> body,
                std::string_view name) {
  const auto own = [body = std::move(body), model = std::string(model)](program& me) {
    me.run_task(model, body);
  };
  state_->start({on.index_, std::string(name), false, own});
}

void world::serve(const host& on, handler h, serve_options o) {
  const auto own = [h = std::move(h), o = std::move(o)](program& me) { me.run_server(h, o); };
  state_->start({on.index_, {}, true, own});
}

void world::at(clock::duration since_start, std::function<void()> action) {
  state& s = *state_;
  ++s.planned;
  s.machine.time.at(deadline_after(simulated::timeline::start, since_start),
                    [&s, own = std::move(action)] {
                      --s.planned;
                      own();
                    });
}

void world::fault_at(clock::duration since_start, std::string what, std::function<void()> action) {
  state& s = *state_;
  constexpr unsigned nobody = 0;
  const std::uint64_t number = s.machine.draws.draw(fault_kind::planned, nobody, 1'000'000);
  if (number == 0) return;
  s.planned_faults[number] = std::move(what);
  at(since_start, [&s, number, does = std::move(action)] {
    s.machine.happens(number, nobody, fault_kind::planned);
    does();
  });
}

void world::set_faults(const faults& f) { state_->machine.faults = rates_of(f); }

void world::set_link(const host& a, const host& b, const link& l) {
  auto& net = state_->machine.net;
  net.set_link(*net.hosts()[a.index_], *net.hosts()[b.index_], link_of(l));
}

void world::block(const host& from, const host& to, bool on) {
  state_->block(from.index_, to.index_, on);
}

void world::partition(const host& a, const host& b, bool on) {
  block(a, b, on);
  block(b, a, on);
}

void world::flap(const host& a, const host& b, clock::duration up, clock::duration down) {
  state_->flap(a.index_, b.index_, up, down, false);
}

void world::crash(const host& h) { state_->crash(h.index_); }

void world::restart(const host& h) { state_->restart(h.index_); }

void world::stall(const host& h, clock::duration length) {
  const auto until = deadline_after(state_->machine.time.now(), length);
  state_->machine.trace.noted(state_->elapsed(), "stall: " + state_->host_of(h.index_).name);
  if (until == never) return;  // that would be a crash
  state_->each_program_on(h.index_, [&](program& p) {
    p.os().where().held_until = std::max(p.os().where().held_until, until);
  });
}

void world::leap(const host& h, clock::duration by) {
  simulated::machine& m = state_->machine;
  simulated::host& at = state_->host_of(h.index_);
  // A year is left for the run.
  const auto most = never - m.time.now() - at.clock_ahead - std::chrono::hours(24 * 365);
  at.clock_ahead += std::max(std::min(by, most), clock::duration::zero());
  m.trace.noted(m.time.elapsed(), "leap: " + at.name);
  state_->each_program_on(h.index_, [](program& p) { p.os().clock_has_leapt(); });
}

report world::finish() {
  state& s = *state_;
  const auto until = s.last_moment();
  ending how = s.go_on(until, [&] { return s.over(false); }, ending::finished);
  if (how == ending::finished) {
    for (const auto& p : s.programs) {
      if (p->is_server && !s.is_gone(*p)) p->stop();
    }
    how = s.go_on(until, [&] { return s.over(true); }, ending::finished);
  }
  report r = s.tell(how);
  r.injected = s.injected();
  if (how != ending::finished) s.end_all();
  return r;
}

report world::run_for(clock::duration length) {
  state& s = *state_;
  const auto until = deadline_after(s.machine.time.now(), length);
  const ending how = s.go_on(until, [&] { return s.over(true); }, ending::finished);
  if (how == ending::finished) return s.tell(how);
  s.machine.time.jump(until);  // where nothing happens, time passes all the same
  return s.tell(ending::holds);
}

report world::run_until(const std::function<bool()>& holds, clock::duration at_most) {
  state& s = *state_;
  return s.tell(s.go_on(deadline_after(s.machine.time.now(), at_most), holds, ending::holds));
}

bool world::step() {
  state_->machine.awake = nullptr;
  return state_->machine.turns.step();
}

clock::duration world::elapsed() const noexcept { return state_->elapsed(); }

std::string world::trace() const {
  return state_->machine.trace.text(
      [this](unsigned number) { return state_->programs[number]->name(); });
}

}  // namespace iolite::simulate

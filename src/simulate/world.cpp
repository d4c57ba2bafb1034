// See simulate.hpp.
#include "iolite/simulate.hpp"

#include "simulate/program.hpp"

#include <algorithm>
#include <stdexcept>

namespace iolite::simulate {
namespace {

using simulated::fault_kind;
using simulated::waited;

simulated::fault_rates rates_of(const faults& f) {
  simulated::fault_rates out;
  const auto set = [&](fault_kind k, double probability) {
    const double millions = std::clamp(probability, 0.0, 1.0) * 1e6;
    out.in_a_million[static_cast<std::size_t>(k)] = static_cast<std::uint32_t>(millions + 0.5);
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
  out.delay_max = f.delay_max;
  out.stall_max = f.stall_max;
  return out;
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
          .stall = 0.01};
}

std::string host::at(std::uint16_t port) const { return ip_ + ":" + std::to_string(port); }

void check(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

struct world::state {
  state(std::uint64_t s, const options& o) : seed(s), wanted(o), machine(s) {
    machine.faults = rates_of(o.faults);
    machine.net.set_default({o.network.latency_min, o.network.latency_max});
    machine.net.send_buffer = o.send_buffer;
    machine.net.receive_buffer = o.receive_buffer;
    machine.trace.keep(o.trace_lines);
    machine.faults_until = deadline_after(machine.time.start, o.faults_for);
  }

  program& add(std::size_t at, std::string name) {
    auto& h = *machine.net.hosts()[at];
    if (name.empty()) name = h.name;
    const auto number = static_cast<unsigned>(programs.size());
    programs.push_back(std::make_unique<program>(machine, h, number, name, wanted.descriptors_max));
    return *programs.back();
  }
  template <class Body>
  void start(program& p, Body body) {
    machine.turns.start([this, &p, own = std::move(body)] {
      if (!p.is_server) machine.turns.wait(nullptr, never, [&] { return all_listen(); });
      own(p);
      p.os().end_threads();
      p.over = true;
    });
  }

  [[nodiscard]] bool all_listen() const {
    return std::ranges::all_of(
        programs, [](const auto& p) { return !p->is_server || p->listens || p->over; });
  }
  // Asked for each turn: who went on last time does so most probably.
  [[nodiscard]] bool over(bool servers) {
    const auto goes_on = [&](const auto& p) { return !p->over && (servers || !p->is_server); };
    if (went_on < programs.size() && goes_on(programs[went_on])) return false;
    const auto it = std::ranges::find_if(programs, goes_on);
    went_on = static_cast<std::size_t>(it - programs.begin());
    return it == programs.end();
  }
  // Lets the others run.
  template <class Holds>
  ending go_on(clock::time_point until, Holds holds, ending when_it_holds) {
    const std::uint64_t calls_max = machine.trace.calls() + 20'000'000;
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
      if (!p->over && (how == ending::dead_lock || how == ending::time_is_up)) p->tell(r.waiting);
      if (!p->failure().empty()) r.failures.push_back(p->name() + ": " + p->failure());
      if (p->over) p->tell_leaks(r.leaks);
    }
    return r;
  }

  // Who is left is cancelled. False: somebody does not end all the same, and stays where it is.
  bool end_all() {
    machine.faults = {};
    for (const auto& h : machine.net.hosts()) {
      for (const auto& g : machine.net.hosts()) machine.net.block(*h, *g, false);
    }
    for (const auto& p : programs) {
      if (!p->over) p->cancel();
    }
    const auto until = machine.time.now() + std::chrono::minutes(10);
    if (go_on(until, [this] { return over(true); }, ending::finished) == ending::finished) {
      return true;
    }
    machine.turns.abandon();
    return false;
  }

  const std::uint64_t seed;
  const options wanted;
  simulated::machine machine;
  std::vector<std::unique_ptr<program>> programs;
  std::size_t went_on = 0;  // one of them
};

world::world(std::uint64_t seed, const options& o) : state_(std::make_unique<state>(seed, o)) {}

world::~world() {
  if (!state_->over(true) && !state_->machine.turns.abandoned()) state_->end_all();
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
  return {index, "10.0.0." + std::to_string(index + 1)};
}

void world::run(const host& on, std::string_view model, std::function<task<void>()> body,
                std::string_view name) {
  program& p = state_->add(on.index_, std::string(name));
  state_->start(p, [body = std::move(body), model = std::string(model)](program& me) {
    me.run_task(model, body);
  });
}

void world::serve(const host& on, handler h, serve_options o) {
  program& p = state_->add(on.index_, {});
  p.is_server = true;
  state_->start(p, [h = std::move(h), o = std::move(o)](program& me) { me.run_server(h, o); });
}

void world::at(clock::duration since_start, std::function<void()> action) {
  state_->machine.time.at(deadline_after(simulated::timeline::start, since_start),
                          std::move(action));
}

void world::set_faults(const faults& f) { state_->machine.faults = rates_of(f); }

void world::set_link(const host& a, const host& b, const link& l) {
  auto& net = state_->machine.net;
  net.set_link(*net.hosts()[a.index_], *net.hosts()[b.index_], {l.latency_min, l.latency_max});
}

void world::block(const host& from, const host& to, bool on) {
  auto& m = state_->machine;
  m.net.block(*m.net.hosts()[from.index_], *m.net.hosts()[to.index_], on);
  m.trace.noted(m.time.elapsed(), (on ? "blocked: " : "open: ") + from.ip_ + " to " + to.ip_);
}

void world::partition(const host& a, const host& b, bool on) {
  block(a, b, on);
  block(b, a, on);
}

report world::finish() {
  state& s = *state_;
  const auto until = s.last_moment();
  ending how = s.go_on(until, [&] { return s.over(false); }, ending::finished);
  if (how == ending::finished) {
    for (const auto& p : s.programs) {
      if (p->is_server && !p->over) p->stop();
    }
    how = s.go_on(until, [&] { return s.over(true); }, ending::finished);
  }
  report r = s.tell(how);
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

bool world::step() { return state_->machine.turns.step(); }

clock::duration world::elapsed() const noexcept { return state_->machine.time.elapsed(); }

std::string world::trace() const {
  return state_->machine.trace.text(
      [this](unsigned number) { return state_->programs[number]->name(); });
}

}  // namespace iolite::simulate

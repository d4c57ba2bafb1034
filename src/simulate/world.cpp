// See simulate.hpp.
#include "iolite/simulate.hpp"

#include "simulate/state.hpp"

#include <stdexcept>

namespace iolite::simulate {

namespace {

// And those that contain it, as `mkdir -p`.
void make_directories(simulated::disk& on, const std::string& path) {
  for (std::size_t end = 0; end != path.npos;) {
    end = path.find('/', end + 1);
    on.mkdir(path.substr(0, end));
  }
}

}  // namespace

std::string host::at(std::uint16_t port) const { return ip_ + ":" + std::to_string(port); }

void check(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

world::world(std::uint64_t seed, const options& o) : state_(std::make_unique<state>(seed, o)) {}

world::~world() {
  auto& turns = state_->machine.turns;
  if (turns.running() > 0 && !turns.abandoned()) state_->end_all();
  if (turns.abandoned()) {
    static_cast<void>(state_.release());  // its threads stand in it
    return;
  }
  for (const auto& p : state_->programs) {
    p->os().each([](simulated::process& q) { q.files().clear(); });
  }
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
  for (const std::string& path : state_->wanted.directories) make_directories(h.storage, path);
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

void world::serve(const host& on, handler h, serve_options o, std::string_view name,
                  std::function<void(const served&)> ended) {
  const auto own = [h = std::move(h), o = std::move(o), ended = std::move(ended)](program& me) {
    me.run_server(h, o, ended);
  };
  state_->start({on.index_, std::string(name), true, own});
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
  const std::uint64_t number =
      s.machine.draws.draw(simulated::fault_kind::planned, nobody, 1'000'000);
  if (number == 0) return;
  s.planned_faults[number] = std::move(what);
  at(since_start, [&s, number, does = std::move(action)] {
    s.machine.happens(number, nobody, simulated::fault_kind::planned);
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
  state_->each_process_on(h.index_, [&](simulated::process& p) {
    p.where().held_until = std::max(p.where().held_until, until);
  });
}

void world::leap(const host& h, clock::duration by) {
  simulated::machine& m = state_->machine;
  simulated::host& at = state_->host_of(h.index_);
  // A year is left for the run.
  const auto most = never - m.time.now() - at.clock_ahead - std::chrono::hours(24 * 365);
  at.clock_ahead += std::max(std::min(by, most), clock::duration::zero());
  m.trace.noted(m.time.elapsed(), "leap: " + at.name);
  state_->each_process_on(h.index_, [](simulated::process& p) { p.clock_has_leapt(); });
}

void world::signal(std::string_view program, int number, recipients to) {
  state& s = *state_;
  s.machine.trace.noted(s.elapsed(),
                        "signal " + std::to_string(number) + ": " + std::string(program));
  for (const auto& p : s.programs) {
    if (s.is_gone(*p) || p->name() != program) continue;
    if (to == recipients::group) p->os().signal_group(number);
    else p->os().signal(number);
  }
}

report world::finish() {
  state& s = *state_;
  const auto until = s.last_moment();
  ending how = s.go_on(until, [&] { return s.over(false); }, ending::finished);
  if (how == ending::finished) {
    s.servers_stop = true;
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
      [this](unsigned number) { return state_->machine.process_names[number]; });
}

}  // namespace iolite::simulate

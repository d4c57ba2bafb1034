// See program.hpp.
#include "simulate/program.hpp"

#include "iolite/core/engine.hpp"
#include "iolite/scope.hpp"
#include "models/backends.hpp"
#include "serve/server.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace iolite::simulate {
namespace {

constexpr std::array<std::string_view, 7> simulated_engines = {
    "nonblocking", "select", "poll", "epoll", "signal", "blocking", "io_uring"};

struct split_model {
  std::string_view engine, placement;
  explicit split_model(std::string_view model) noexcept
      : engine(model.substr(0, model.find('/'))),
        placement(engine.size() == model.size() ? "" : model.substr(engine.size() + 1)) {}
};

// Empty where it can be simulated.
std::string why_not(std::string_view engine) {
  if (std::ranges::find(simulated_engines, engine) != simulated_engines.end()) return {};
  return "the engine '" + std::string(engine) +
         "' is not simulated; there are nonblocking select poll epoll signal blocking io_uring";
}

// The same of a server, and where its connections run.
std::string why_not(const split_model& m, placement& out) {
  constexpr std::array known = {placement::shared, placement::thread, placement::process,
                                placement::pool, placement::prefork};
  const auto usual = m.engine == "blocking" ? placement::thread : placement::shared;
  const auto it = std::ranges::find(known, m.placement, [](placement p) { return name_of(p); });
  if (it == known.end() && !m.placement.empty()) {
    return "there is no placement '" + std::string(m.placement) +
           "'; there are shared thread process pool prefork";
  }
  out = m.placement.empty() ? usual : *it;
  if (m.engine == "blocking" && out == placement::shared) {
    return "blocking/shared would serve one client at a time; use blocking/thread, "
           "blocking/process or blocking/pool";
  }
  return why_not(m.engine);
}

}  // namespace

program::program(simulated::machine& m, simulated::host& at, std::string name, int descriptors_max)
    : name_(std::move(name)), world_(m), os_(m, at, name_, descriptors_max) {
  os_.tell(this);
}

void program::run_task(std::string_view model, const std::function<task<void>()>& body) {
  const split_model split(model);
  failure_ = why_not(split.engine);
  if (!split.placement.empty() && split.placement != "shared") {
    failure_ = "the placement '" + std::string(split.placement) +
               "' is not simulated for one task; serve() knows some";
  }
  if (!failure_.empty() || cancelled_) return;
  auto made = make_engine_on(os_, split.engine);
  if (!made) return void(failure_ = made.error().message);
  try {
    (*made)->run(body());
  } catch (const std::exception& e) {
    failure_ = e.what();
  } catch (...) {
    failure_ = "an exception that is no std::exception";
  }
}

void program::run_server(handler h, serve_options o,
                         const std::function<void(const world::served&)>& ended) {
  if (o.model == "auto") o.model = "epoll";
  const split_model split(o.model);
  placement placed{};
  failure_ = why_not(split, placed);
  if (!failure_.empty() || cancelled_) return;
  o.allow_public = true;  // all the world is here
  if (o.workers == 0) o.workers = 4;  // not as many as this machine has processors
  o.stop = &stop_;
  o.on_listening = [this, told = std::move(o.on_listening)](const auto& model, const auto& at) {
    listens = true;
    if (told) told(model, at);
  };
  const std::string engine(split.engine);
  model_choice choice{engine + "/" + std::string(name_of(placed)), engine, placed, "simulated"};
  const auto s = std::make_shared<server>(os_, std::move(h), o, std::move(choice));
  const world::served served = s->run();
  if (ended) ended(served);
  else if (!served) failure_ = served.error().message;
}

// --- who waits for what ---

program::waiter& program::this_waiter() {
  const thread_state* const me = &state_of_thread();
  const auto it = std::ranges::find(waiters_, me, &waiter::thread);
  if (it != waiters_.end()) return *it;
  return waiters_.emplace_back(me, static_cast<simulated::process*>(me->simulated));
}

void program::about_to_wait() {
  waiter& me = this_waiter();
  me.on = engine::current();
  if (me.on) me.mark_now(world_.time.elapsed());
  else me.marks.clear();
}

void program::thread_ends() {
  std::erase_if(waiters_, [me = &state_of_thread()](const waiter& w) { return w.thread == me; });
}

void program::waiter::mark_now(clock::duration when) {
  const std::uint64_t started = on->stats().started;
  if (!marks.empty() && marks.back().started > started) marks.clear();  // another engine
  if (!marks.empty() && marks.back().started == started) return;
  marks.push_back({started, when});
  while (marks.front().started + 65536 < started) marks.pop_front();
}

clock::duration program::waiter::started_at(const operation& op) const {
  if (marks.empty()) return {};
  const std::uint64_t all = marks.back().started;
  const auto later = static_cast<std::uint16_t>(all - op.tag);
  const auto it = std::ranges::lower_bound(marks, all - later, {}, &mark::started);
  return it == marks.end() ? marks.back().when : it->when;
}

template <class Visit>
void program::each_operation(const engine& of, Visit visit) {
  for (const scope* s = of.first_scope(); s; s = s->next_scope()) {
    for (const child_task* c = s->first_child(); c; c = c->next) {
      const operation* const op = c->waits_in();
      if (op && op->state == op_state::pending) visit(*op);
    }
  }
}

clock::time_point program::next_deadline() {
  clock::time_point first = never;
  const engine* const here = engine::current();
  if (here) each_operation(*here, [&](const auto& op) { first = std::min(first, op.deadline); });
  return first;
}

void program::tell(std::vector<waiting>& out) const {
  const std::size_t before = out.size();
  for (const waiter& w : waiters_) {
    if (!w.on) continue;
    each_operation(*w.on, [&](const operation& op) {
      std::string on = op.fd >= 0 ? w.os->describe(op.fd) : std::string();
      if (op.kind == op_kind::event) on = "an event, a channel or the end of child tasks";
      out.push_back({name_, to_string(op, w.os->clock_time()), std::move(on), w.started_at(op)});
    });
  }
  const auto order = [](const waiting& w) { return std::tie(w.since, w.operation); };
  std::ranges::sort(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), {}, order);
  if (out.size() == before) out.push_back({name_, "a system call", "of the program itself", {}});
}

void program::tell_leaks(std::vector<std::string>& out) const {
  for (int fd = 0; fd < os_.files().end(); ++fd) {
    if (!os_.files().find(fd)) continue;
    out.push_back(name_ + ": fd=" + std::to_string(fd) + ", " + os_.describe(fd));
  }
}

void program::cancel() noexcept {
  cancelled_ = true;
  stop_.request();
  for (const waiter& w : waiters_) {
    if (w.on) w.on->request_cancel();
  }
}

}  // namespace iolite::simulate

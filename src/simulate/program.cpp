// See program.hpp.
#include "simulate/program.hpp"

#include "backends.hpp"
#include "iolite/engine.hpp"
#include "iolite/scope.hpp"
#include "serve/server.hpp"

#include <algorithm>
#include <array>

namespace iolite::simulate {
namespace {

constexpr std::array<std::string_view, 7> simulated_engines = {
    "nonblocking", "select", "poll", "epoll", "signal", "blocking", "io_uring"};

// Empty where it can be simulated.
std::string why_not(std::string_view engine, std::string_view placement, bool serves) {
  if (std::ranges::find(simulated_engines, engine) == simulated_engines.end()) {
    return "the engine '" + std::string(engine) +
           "' is not simulated; there are nonblocking select poll epoll signal blocking io_uring";
  }
  if (!placement.empty() && placement != "shared") {
    return "the placement '" + std::string(placement) + "' is not simulated; there is shared";
  }
  if (serves && engine == "blocking") {
    return "blocking/shared would serve one client at a time; run accept() in a task of your own";
  }
  return {};
}

struct split_model {
  std::string_view engine, placement;
  explicit split_model(std::string_view model) noexcept
      : engine(model.substr(0, model.find('/'))),
        placement(engine.size() == model.size() ? "" : model.substr(engine.size() + 1)) {}
};

}  // namespace

program::program(simulated::machine& m, simulated::host& at, unsigned number, std::string name,
                 int descriptors_max)
    : name_(std::move(name)), world_(m), os_(m, at, number, descriptors_max) {
  os_.tell(this);
}

void program::run_task(std::string_view model, const std::function<task<void>()>& body) {
  const split_model split(model);
  failure_ = why_not(split.engine, split.placement, false);
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

void program::run_server(handler h, serve_options o) {
  if (o.model == "auto") o.model = "epoll";
  const split_model split(o.model);
  failure_ = why_not(split.engine, split.placement, true);
  if (!failure_.empty() || cancelled_) return;
  o.signals = false;
  o.allow_public = true;  // all the world is here
  o.stop = &stop_;
  o.on_listening = [this, told = std::move(o.on_listening)](const auto& model, const auto& at) {
    listens = true;
    if (told) told(model, at);
  };
  const std::string engine(split.engine);
  model_choice choice{engine + "/shared", engine, placement::shared, "simulated"};
  const auto s = std::make_shared<server>(os_, std::move(h), o, std::move(choice));
  if (const auto served = s->run(); !served) failure_ = served.error().message;
}

void program::about_to_wait() {
  on_ = engine::current();
  if (!on_) return marks_.clear();
  const std::uint64_t started = on_->stats().started;
  if (!marks_.empty() && marks_.back().started > started) marks_.clear();  // another engine
  if (!marks_.empty() && marks_.back().started == started) return;
  marks_.push_back({started, world_.time.elapsed()});
  while (marks_.front().started + 65536 < started) marks_.pop_front();
}

clock::duration program::started_at(const operation& op) const {
  if (marks_.empty()) return {};
  const std::uint64_t all = marks_.back().started;
  const auto later = static_cast<std::uint16_t>(all - op.tag);
  const auto it = std::ranges::lower_bound(marks_, all - later, {}, &mark::started);
  return it == marks_.end() ? marks_.back().when : it->when;
}

template <class Visit>
void program::each_operation(Visit visit) const {
  if (!on_) return;
  for (const scope* s = on_->first_scope(); s; s = s->next_scope()) {
    for (const operation* op = s->in_flight(); op; op = op->scope_next) {
      if (op->state == op_state::pending) visit(*op);
    }
  }
}

clock::time_point program::next_deadline() {
  clock::time_point first = never;
  each_operation([&](const operation& op) { first = std::min(first, op.deadline); });
  return first;
}

void program::tell(std::vector<waiting>& out) const {
  const std::size_t before = out.size();
  each_operation([&](const operation& op) {
    std::string on = op.fd >= 0 ? os_.describe(op.fd) : std::string();
    if (op.kind == op_kind::event) on = "an event, a channel or the end of child tasks";
    out.push_back({name_, to_string(op, os_.clock_time()), std::move(on), started_at(op)});
  });
  std::ranges::sort(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), {},
                    &waiting::since);
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
  if (on_ && !over) on_->request_cancel();
}

}  // namespace iolite::simulate

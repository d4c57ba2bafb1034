// The only place that names every backend. A new one is a line in one of the two tables.
#include "iolite/models.hpp"

#include "core/process.hpp"
#include "engines/made_engine.hpp"
#include "models/availability.hpp"
#include "models/backends.hpp"
#include "models/registry.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>

namespace iolite {

// --- the backends ---

made_poller make_epoll(kernel&, const poller_options&);
made_poller make_poll(kernel&, const poller_options&);
made_poller make_select(kernel&, const poller_options&);
made_poller make_signal(kernel&, const poller_options&);
made_poller make_nonblocking(kernel&, const poller_options&);
#if defined(IOLITE_HAS_KQUEUE)
made_poller make_kqueue(kernel&, const poller_options&);
#else
constexpr make_poller make_kqueue = nullptr;
#endif
made_engine make_readiness(kernel&, std::unique_ptr<poller>);
made_engine make_blocking(kernel&, bool interruptible);
made_engine make_posix_aio(kernel&, std::unique_ptr<poller>);
made_engine make_io_uring(kernel&, const engine_options&);

std::span<const poller_entry> all_pollers() noexcept {
  static constexpr std::array table = {
      poller_entry{"kqueue", make_kqueue}, poller_entry{"epoll", make_epoll},
      poller_entry{"poll", make_poll},     poller_entry{"select", make_select},
      poller_entry{"signal", make_signal}, poller_entry{"nonblocking", make_nonblocking},
  };
  return table;
}

namespace {

using make_engine_function = made_engine (*)(kernel&, const engine_options&);

template <make_poller Make>
made_engine over(kernel& os, const engine_options& o) {
  made_poller p = Make(os, {.idle = static_cast<idle_strategy>(o.when_idle)});
  return p.it ? make_readiness(os, std::move(p.it)) : made_engine{nullptr, p.error};
}
// A specialization: GCC 12 with UBSan does not take "Make == nullptr" for a constant.
template <>
[[maybe_unused]] made_engine over<make_poller{}>(kernel&, const engine_options&) {
  return {nullptr, -ENOTSUP};
}

// Direct descriptors only where an engine with a few of them has worked.
availability test_direct_descriptors(kernel& os) {
  return test_engine(os, "io_uring",
                     make_io_uring(os, {.ring_entries = 8, .direct_descriptors = 8}));
}

// Receives stand unless that was seen not to work.
std::atomic<bool> may_stand = true;

availability test_multishot_receives(kernel& os) {
  constexpr auto how = engine_options::receiving::multishot;
  const made_engine ring = make_io_uring(os, {.ring_entries = 8, .receives = how});
  availability a = test_engine(os, "io_uring", ring);
  if (a.ok && ring.it->stats().multishot_receives == 0) a = {false, ENOTSUP, {}};
  return a;
}

made_engine make_tested_ring(kernel& os, const engine_options& wanted) {
  engine_options o = wanted;
  static std::atomic<bool> works = false;  // on the real kernel, once it has been seen
  const bool real = &os == &kernel::real();
  if (real && !may_stand) o.receives = engine_options::receiving::each;
  if (o.direct_descriptors > 0 && !(real && works)) {
    if (const availability a = test_direct_descriptors(os); !a.ok) return {nullptr, -a.error};
    works = works || real;
  }
  return make_io_uring(os, o);
}

struct engine_entry {
  std::string_view name;
  std::string_view shape;
  make_engine_function make;
};

// In the order of iolite/models.hpp.
constexpr std::array engines = {
    engine_entry{"blocking", "blocking",
                 [](kernel& os, const engine_options&) { return make_blocking(os, true); }},
    engine_entry{"nonblocking", "readiness", over<make_nonblocking>},
    engine_entry{"select", "readiness", over<make_select>},
    engine_entry{"poll", "readiness", over<make_poll>},
    engine_entry{"epoll", "readiness", over<make_epoll>},
    engine_entry{"kqueue", "readiness", over<make_kqueue>},
    engine_entry{"signal", "readiness", over<make_signal>},
    engine_entry{"posix_aio", "completion",
                 [](kernel& os, const engine_options&) {
                   made_poller p = make_poll(os, {});
                   return p.it ? make_posix_aio(os, std::move(p.it))
                               : made_engine{nullptr, p.error};
                 }},
    engine_entry{"io_uring", "completion", make_tested_ring},
};

constexpr std::array placements = {placement::shared, placement::thread, placement::process,
                                   placement::pool, placement::prefork};

// What `auto` tries, best first.
constexpr std::array<std::string_view, 5> preference = {"io_uring", "epoll", "kqueue", "poll",
                                                        "select"};

const engine_entry* find_engine(std::string_view name) noexcept {
  const auto it = std::ranges::find(engines, name, &engine_entry::name);
  return it == engines.end() ? nullptr : it;
}

std::string names_of_engines() {
  std::string out;
  for (const auto& e : engines) out += std::string(e.name) + " ";
  return out + "auto";
}

std::unexpected<error> refused(std::errc code, std::string message) {
  return std::unexpected(error{std::make_error_code(code), std::move(message)});
}

// One task for one client at a time: there is nobody else to serve the second.
bool cannot_work(std::string_view engine, placement p) noexcept {
  return engine == "blocking" && p == placement::shared;
}

placement usual_placement(std::string_view engine) noexcept {
  return engine == "blocking" ? placement::thread : placement::shared;
}

// On this thread, whichever it is: a process that has once had a second one pays for it in each of
// glibc's system calls.
availability ask(const engine_entry& e) {
  kernel& os = kernel::real();
  return test_engine(os, e.name, e.make(os, {}));
}

// Asked once a process: a probe makes rings, and a kernel takes its time to unmake them. But what
// was short may be there the next time.
struct known_engine {
  process_lock lock;
  bool asked = false;
  availability found;
  std::vector<std::string> features;
};
std::array<known_engine, engines.size()> known;

struct engine_facts {
  availability found;
  std::vector<std::string> features;
};

engine_facts what_is_known(const engine_entry& e) {
  auto& k = known[static_cast<std::size_t>(&e - engines.data())];
  const std::lock_guard hold(k.lock);
  if (k.asked) return {k.found, k.features};
  engine_facts now{ask(e), {}};
  if (is_shortage(now.found.error)) return now;
  if (now.found.ok) now.features = features_of(kernel::real(), e.name);
  if (now.found.ok && e.make == make_tested_ring) {
    const availability stands = test_multishot_receives(kernel::real());
    may_stand = stands.ok || is_shortage(stands.error);
    if (stands.ok) now.features.emplace_back("multishot-receive");
    if (test_direct_descriptors(kernel::real()).ok) {
      now.features.emplace_back("direct-descriptors");
    }
  }
  k.found = now.found;
  k.features = now.features;
  k.asked = true;
  return now;
}

availability availability_of(const engine_entry& e) { return what_is_known(e).found; }

struct split_name {
  std::string engine;
  std::string placement;  // empty: the usual one
};
split_name split(std::string_view model) {
  const std::size_t slash = model.find('/');
  if (slash == model.npos || slash + 1 == model.size()) return {std::string(model), {}};
  return {std::string(model.substr(0, slash)), std::string(model.substr(slash + 1))};
}

std::expected<model_choice, error> choose_named(const split_name& name) {
  const engine_entry* e = find_engine(name.engine);
  if (!e) {
    return refused(std::errc::invalid_argument,
                   "there is no engine '" + name.engine + "'; there are " + names_of_engines());
  }
  placement p = usual_placement(e->name);
  if (!name.placement.empty()) {
    const auto it =
        std::ranges::find(placements, name.placement, [](placement x) { return name_of(x); });
    if (it == placements.end()) {
      return refused(std::errc::invalid_argument,
                     "there is no placement '" + name.placement +
                         "'; there are shared thread process pool prefork");
    }
    p = *it;
  }
  if (cannot_work(e->name, p)) {
    return refused(std::errc::not_supported,
                   "blocking/shared would serve one client at a time; use "
                   "blocking/thread, blocking/process or blocking/pool");
  }
  if (const availability a = availability_of(*e); !a.ok) {
    return std::unexpected(error{std::error_code(a.error, std::system_category()),
                                 std::string(e->name) + " is not available: " + a.reason});
  }
  model_choice c{std::string(e->name) + "/" + std::string(name_of(p)), std::string(e->name), p, {}};
  c.why = c.model + ": asked for by name";
  return c;
}

// Only what this system lacks or refuses is passed over; want of memory or descriptors would not
// get better with another engine, and would hide a fault.
bool may_fall_back(int e) noexcept {
  return e == ENOSYS || e == EPERM || e == EACCES || e == ENOTSUP || e == EINVAL || e == EOPNOTSUPP;
}

std::expected<model_choice, error> choose_best(const std::string& placed) {
  std::string passed_over;
  for (const std::string_view name : preference) {
    const engine_entry& e = *find_engine(name);
    const availability a = availability_of(e);
    if (a.ok) {
      auto c = choose_named({std::string(name), placed});
      if (!c) return c;
      c->why = "auto takes " + c->model +
               (passed_over.empty() ? ": the best this system has" : passed_over);
      return c;
    }
    if (!may_fall_back(a.error)) {
      return std::unexpected(
          error{std::error_code(a.error, std::system_category()),
                "auto does not fall back from " + std::string(name) + ": " + a.reason});
    }
    // What another system has is no news.
    if (a.error != ENOTSUP)
      passed_over += "; " + std::string(name) + " is not available: " + a.reason;
  }
  return refused(std::errc::not_supported, "no engine works here" + passed_over);
}

std::vector<model_info> list_models() {
  std::vector<model_info> out;
  for (const auto& e : engines) {
    const auto [a, features] = what_is_known(e);
    for (const placement p : placements) {
      if (cannot_work(e.name, p)) continue;
      out.push_back({std::string(e.name) + "/" + std::string(name_of(p)), std::string(e.name), p,
                     std::string(e.shape), a.ok, a.reason, features});
    }
  }
  return out;
}

}  // namespace

std::string_view name_of(placement p) noexcept {
  constexpr std::array<std::string_view, 5> names = {"shared", "thread", "process", "pool",
                                                     "prefork"};
  return names[static_cast<std::size_t>(p)];
}

std::vector<model_info> models() { return list_models(); }

availability available(std::string_view name) {
  const engine_entry* e = find_engine(name);
  if (!e) return {false, EINVAL, "there is no such engine; there are " + names_of_engines()};
  return availability_of(*e);
}

std::expected<model_choice, error> choose(std::string_view model) {
  split_name name = split(model);
  if (name.engine != "auto") return choose_named(name);
  const char* const variable =
      std::getenv("IOLITE_MODEL");  // NOLINT(concurrency-mt-unsafe): read only
  if (!variable || *variable == '\0') return choose_best(name.placement);
  split_name meant = split(variable);
  if (meant.placement.empty()) meant.placement = name.placement;
  auto c = meant.engine == "auto" ? choose_best(meant.placement) : choose_named(meant);
  if (!c) c.error().message = std::string("IOLITE_MODEL=") + variable + ": " + c.error().message;
  else if (meant.engine != "auto") c->why = "auto takes " + c->model + ": IOLITE_MODEL=" + variable;
  return c;
}

std::expected<std::unique_ptr<engine>, error> make_engine_on(kernel& os, std::string_view name,
                                                             const engine_options& options) {
  const engine_entry* e = find_engine(name);
  if (!e)
    return refused(std::errc::invalid_argument, "there is no engine '" + std::string(name) + "'");
  made_engine made = e->make(os, options);
  if (made.it) {
    made.it->spin_before_sleeping(options.spin);
    made.it->limit_leases(options.lease_memory);
    return std::move(made.it);
  }
  return std::unexpected(error{std::error_code(-made.error, std::system_category()),
                               "cannot make an engine: " + explain(os, name, made.error)});
}

std::expected<std::unique_ptr<engine>, error> make_plain_blocking(kernel& os,
                                                                  std::size_t lease_memory) {
  made_engine made = make_blocking(os, false);
  if (made.it) {
    made.it->limit_leases(lease_memory);
    return std::move(made.it);
  }
  return std::unexpected(error{std::error_code(-made.error, std::system_category()),
                               "cannot make an engine: " + explain(os, "blocking", made.error)});
}

std::expected<std::unique_ptr<engine>, error> make_engine(std::string_view name,
                                                          const engine_options& options) {
  kernel& os = kernel::of_thread();
  if (&os != &kernel::real()) {  // a simulated one: what this machine has is no matter
    const std::string engine = split(name).engine;
    return make_engine_on(os, engine == "auto" ? "epoll" : engine, options);
  }
  const auto chosen = choose(split(name).engine);
  if (!chosen) return std::unexpected(chosen.error());
  return make_engine_on(os, chosen->engine, options);
}

}  // namespace iolite

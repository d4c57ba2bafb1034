// See server.hpp: what all placements share.
#include "serve/server.hpp"

#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "models/backends.hpp"
#include "net/socket_path.hpp"
#include "serve/passed_sockets.hpp"
#include "serve/placements/loop_run.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <list>
#include <new>
#include <sys/mman.h>
#include <sys/socket.h>

namespace iolite {
namespace {

using std::chrono::milliseconds;

// An engine that cannot hold descriptors above a limit takes fewer connections: some numbers are
// taken.
unsigned connections_allowed(const service& of) {
  const serve_options& o = of.options;
  const model_choice& m = of.model;
  unsigned select_limit = 1024 - 64;  // FD_SETSIZE, less what a process has open besides
  if (m.placement == placement::prefork) {  // a worker has the listeners of all
    const std::size_t others = std::size_t{of.workers()} * o.listen.size();
    select_limit -= static_cast<unsigned>(std::min<std::size_t>(others, select_limit / 2));
  }
  unsigned most = o.connections_max;
  if (m.engine == "select" && m.placement != placement::process) {
    // A thread has its engine's descriptor besides.
    most = std::min(most, m.placement == placement::thread ? select_limit / 2 : select_limit);
  }
  return std::max(most, 1U);
}

std::unexpected<error> refused(std::string message) {
  return std::unexpected(
      error{std::make_error_code(std::errc::invalid_argument), std::move(message)});
}

error cannot_share(const endpoint& at, int r) {
  const std::error_code code(-r, std::system_category());
  return {code, "cannot share " + at.to_string() + ": " + code.message()};
}

}  // namespace

server::server(kernel& os, std::shared_ptr<service> of)
    : of_(std::move(of)), os_(os),
      connections_(os_, connections_allowed(*of_), of_->counts.transfers_timed_out) {}

server::~server() {
  if (worker_ || has_one_connection_) stop_signals::ask_nobody(os_);  // a late one finds no latch
}

// --- addresses ---

server::outcome server::check() const {
  const bool apart =
      model_.placement == placement::process || model_.placement == placement::prefork;
  if (apart && options_.shares_memory) {
    return refused(model_.model +
                   " shares no memory between connections, and this handler needs it; use " +
                   (model_.engine == "blocking" ? "blocking/thread" : model_.engine + "/shared"));
  }
  if (options_.listen.empty()) return refused("there is no address to listen on");
  if (options_.workers > service::workers_max) return refused("at most 1024 workers make sense");
  for (std::size_t i = 0; i < at_.size(); ++i) {
    const endpoint& e = at_[i];
    if (!options_.allow_public && !e.is_local() && !lent_[i]) {
      return refused(e.to_string() + " is reachable from other machines; allow it explicitly "
                                     "(--public, serve_options::allow_public) or use 127.0.0.1");
    }
  }
  return {};
}

server::outcome server::parse_addresses() {
  for (const std::string& text : options_.listen) {
    passed_socket given{-1, {}};
    if (names_passed_socket(text)) {
      auto found = find_passed_socket(os_, text);
      if (!found) return std::unexpected(found.error());
      given = *found;
    } else {
      auto e = endpoint::parse(text);
      if (!e) return std::unexpected(e.error());
      given.at = *e;
    }
    at_.push_back(given.at);
    lent_.push_back(given.fd >= 0);
    shared_queues_.push_back(given.fd);
  }
  return {};
}

// A set of listeners on all addresses. The first set learns the ports that were left to the system.
// Files of unix sockets are the server's, since its listeners share them.
//
// With SO_REUSEPORT alone a second server on the same port would silently take half of the
// connections. So the first set gets its ports without it, which only one server can, and shares
// them from then on: the option counts when the next socket is bound and listens. To try a port
// with a listener that is closed again would reset whoever connects to that one, and let a second
// server try at the same time.
std::expected<std::vector<listener>, error> server::open_listeners(engine& on, bool shared_port) {
  listen_options o = options_.sockets;
  const bool first = paths_.empty();
  o.reuse_port = shared_port && !first;
  paths_.resize(at_.size());
  std::vector<listener> out;
  out.reserve(at_.size());
  for (std::size_t i = 0; i < at_.size(); ++i) {
    endpoint& e = at_[i];
    if (shared_queues_[i] >= 0) {  // there is no SO_REUSEPORT for a path: the queue is shared
      const int fd = os_.dup(shared_queues_[i]);
      if (fd < 0) return std::unexpected(cannot_share(e, fd));
      out.push_back(listener::adopt(on, fd));
      out.back().lent_ = lent_[i];
      const engine_traits t = on.traits();
      if (first && lent_[i]) make_nonblocking(os_, fd, t.needs_nonblocking || t.blocking);
      continue;
    }
    auto l = listener::open(on, e, o);
    if (!l) return std::unexpected(l.error());
    if (e.is_tcp()) {
      if (const int r = shared_port && first ? share_port(*l) : 0; r < 0) {
        return std::unexpected(cannot_share(e, r));
      }
      e = l->local();
      out.push_back(std::move(*l));
    } else {
      paths_[i] = std::exchange(l->path_, {});
      out.push_back(listener::adopt(on, l->release()));
      shared_queues_[i] = out.back().native_handle();
    }
  }
  return out;
}

// When a stop begins, before any of their listeners is closed: a successor may have them then. Any
// thread.
void server::remove_socket_files() noexcept {
  if (paths_removed_.exchange(true)) return;
  for (detail::socket_path& p : paths_) remove_file(os_, p);
}

int server::share_port(const listener& l) noexcept {
  constexpr int on = 1;
  return os_.setsockopt(l.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

void server::announce() {
  if (options_.on_listening) options_.on_listening(model_, at_);
}

// One loop that accepts, and whatever `body` makes of its listeners.
server::outcome server::serve_on_one_loop(std::string_view engine, const loop_body& body) {
  auto on = make_engine_on(os_, engine, options_.engine);
  if (!on) return std::unexpected(on.error());
  auto run = std::make_unique<loop_run>(shared_from_this(), std::move(*on));
  auto listeners = open_listeners(*run->on, false);
  if (!listeners) return std::unexpected(listeners.error());
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  loop_run::to_end(std::move(run), with_beside(body(std::move(*listeners))));
  return {};
}

// For a connection that is alone on its thread or in its process.
std::expected<std::unique_ptr<engine>, error> server::connection_engine() const {
  if (model_.engine == "blocking") return make_plain_blocking(os_, options_.engine.lease_memory);
  engine_options o = options_.engine;
  o.direct_descriptors = 0;  // its socket comes from another engine
  return make_engine_on(os_, model_.engine, o);
}

// --- one connection ---

void server::limit(stream& s) const {
  s.set_idle_timeout(options_.idle_timeout);
  s.set_connection_timeout(options_.connection_timeout);
  s.set_rate_min(options_.rate_min);
}

task<void> server::connection(stream s, connection_table::entry& entry) {
  entry.owns(s);
  limit(s);
  try {
    task<void> handled = handler_(std::move(s), *this);  // named: a temporary would be kept, too
    co_await handled;
  } catch (...) {
    note_failure(std::current_exception());
  }
}

// On a blocking engine, whose acceptor serves as well.
task<void> server::take_alone(stream s, place at) {
  const auto entry = connections_.add(s.native_handle());
  entry->enter(std::move(at));
  entry->runs_on(s.on());
  co_await connection(std::move(s), *entry);
}

void server::note_failure(const std::exception_ptr& thrown) noexcept {
  ++counts_.handler_failures;
  note_thrown(log_cause::failure, "a handler failed, its connection is closed", thrown);
}

void server::note_thrown(log_cause c, const char* what, const std::exception_ptr& thrown) noexcept {
  log_once(c, [&] {
    std::string why = what;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      why = why + ": " + e.what();
    } catch (...) {  // NOLINT(bugprone-empty-catch): it says nothing of itself
    }
    return why;
  });
}

void server::start_on_loop(loop_connections& connections, stream s, place at) {
  limit(s);
  connections.start(handler_, *this, std::move(s), std::move(at));
}

task<void> server::take_on_loop(loop_connections& connections, stream s, place at) {
  start_on_loop(connections, std::move(s), std::move(at));
  co_return;
}

// --- a loop with its listeners, until it is stopped and drained ---

task<void> server::loop(std::vector<listener> listeners, task<void> stopped, pool_shares* pool,
                        std::size_t mine) {
  const context c = co_await here{};
  const bool one_at_a_time = c.on->traits().blocking;
  std::list<substitute> substitutes;
  spare_descriptor spare(os_, !worker_);
  task<void> turn_away_rest =  // its memory; a supervisor has the queues of its workers
      worker_ ? turn_away_ahead(listeners, substitutes) : turn_away_queued(listeners, spare);
  detail::bare_scope acceptors;
  pool_shares::seat alone;
  pool_shares::seat& seat = pool ? (*pool)[mine] : alone;
  loop_connections connections(*c.on, connections_, seat.live,
                               [this](const auto& e) { note_failure(e); });
  sink take = [&](stream s, place at) {
    return take_on_loop(connections, std::move(s), std::move(at));
  };
  if (one_at_a_time) {
    take = [this](stream s, place at) { return take_alone(std::move(s), std::move(at)); };
  } else if (pool) {
    take = [&](stream s, place at) {
      return share_out(*pool, seat, connections, std::move(s), std::move(at));
    };
  }
  std::exception_ptr failed;
  try {
    for (listener& l : listeners) acceptors.spawn(accept_all(l, take));
    if (pool) acceptors.spawn(take_newcomers(seat, connections));
    if (worker_ && !worker_->one_queue) acceptors.spawn(stand_in(*worker_, take, substitutes));
    co_await stopped;
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  begin_drain();
  detail::bare_scope timer;
  try {
    timer.spawn(cut_after_timeout(acceptors, connections));
    timer.spawn(connections_.let_linger());
  } catch (const std::bad_alloc&) {  // no memory to wait
    cut(acceptors, connections);
  }
  if (!one_at_a_time) acceptors.cancel();
  if (options_.on_drain) {
    auto said = goodbye_is_said_.wait();
    static_cast<void>(co_await (said | within(options_.drain_timeout)));
  }
  connections_.drain();
  connections.drain();
  if (acceptors.to_be_joined()) co_await acceptors.join();
  co_await turn_away_rest;
  substitutes.clear();
  listeners.clear();
  seat.coming.close();  // who would hand one on to this loop keeps it
  while (const auto late = seat.coming.try_receive()) take_newcomer(*late, seat, connections);
  if (connections.handlers().to_be_joined()) co_await connections.handlers().join();
  connections.close_kept();
  auto all_have_ended = connections_.none_lingers();
  static_cast<void>(co_await all_have_ended);
  timer.cancel();
  if (timer.to_be_joined()) co_await timer.join();
  if (failed) std::rethrow_exception(failed);
}

task<void> server::cut_after_timeout(scope& acceptors, loop_connections& connections) {
  auto time_is_up = sleep(options_.drain_timeout);
  if (!co_await time_is_up) co_return;
  cut(acceptors, connections);
  if (model_.placement != placement::shared) co_return;  // its thread, or its process, is left
  auto grace_is_over = sleep(grace);
  if (!co_await grace_is_over) co_return;
  note_left_behind(static_cast<std::uint64_t>(connections.handlers().live()));
  connections.on().leave_tasks();
}

void server::cut(scope& acceptors, loop_connections& connections) noexcept {
  counts_.connections_cancelled += connections_.cut() + connections.cut();
  acceptors.cancel();
}

task<void> server::until_latch() { co_await latch_->wait(); }

task<void> server::until_event() {
  auto set = stop_workers_.wait();
  static_cast<void>(co_await set);
}

// --- the end ---

void server::note_left_behind(std::uint64_t connections) noexcept {
  counts_.connections_left += connections;
}

// Nothing that a stop has cost goes unsaid.
void server::tell_losses() noexcept {
  if (const unsigned hang = beside_running_; hang > 0) {
    log_once(log_cause::hook, [=] {
      return std::to_string(hang) + " tasks beside the server hang and are left behind";
    });
  }
  const std::uint64_t cut = counts_.connections_cancelled, left = counts_.connections_left;
  if (cut + left == 0) return;
  log_once(log_cause::cut, [=] {
    std::string line =
        std::to_string(cut) + " connections were still busy after drain_timeout: cut";
    if (left > 0) line += "; " + std::to_string(left) + " handlers hang and are left behind";
    return line;
  });
}

std::expected<serve_report, error> server::run() {
  if (auto r = parse_addresses(); !r) return std::unexpected(r.error());
  if (auto r = check(); !r) return std::unexpected(r.error());
  if (options_.stop) latch_ = &options_.stop->state_->latch;
  struct without_socket_files {
    server& of;
    ~without_socket_files() { of.remove_socket_files(); }
  };
  const without_socket_files at_the_end{*this};
  const metered while_it_runs(*of_);
  if (model_.placement != placement::prefork) connections_.count_in(of_->now());
  outcome r;
  switch (model_.placement) {
  case placement::shared: r = serve_shared(); break;
  case placement::thread: r = serve_thread(); break;
  case placement::process: r = serve_process(); break;
  case placement::pool: r = model_.engine == "blocking" ? serve_queue() : serve_pool(); break;
  case placement::prefork: r = serve_prefork(); break;
  }
  if (!r) return std::unexpected(r.error());
  tell_losses();
  log_.close();
  if (counts_.connections_left == 0 && beside_running_ == 0) of_->forget_program();
  return report();
}

}  // namespace iolite

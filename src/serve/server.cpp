// See server.hpp: what all placements share.
#include "serve/server.hpp"

#include "backends.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "net/socket_path.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <sys/mman.h>

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

}  // namespace

server::server(kernel& os, std::shared_ptr<const service> of)
    : of_(std::move(of)), os_(os), connections_(os_, connections_allowed(*of_)) {}

server::~server() = default;

serve_report server::report() const noexcept {
  return {counts_.connections,        counts_.handler_failures,      counts_.accept_pauses,
          counts_.children_restarted, counts_.connections_cancelled, counts_.connections_left};
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
  if (options_.workers > 1024) return refused("at most 1024 workers make sense");
  for (const endpoint& e : at_) {
    if (!options_.allow_public && !e.is_local()) {
      return refused(e.to_string() + " is reachable from other machines; allow it explicitly "
                                     "(--public, serve_options::allow_public) or use 127.0.0.1");
    }
  }
  return {};
}

server::outcome server::parse_addresses() {
  for (const std::string& text : options_.listen) {
    auto e = endpoint::parse(text);
    if (!e) return std::unexpected(e.error());
    at_.push_back(*e);
  }
  return {};
}

// A set of listeners on all addresses. The first set learns the ports that were left to the system.
// Files of unix sockets are the server's, since its listeners share them.
std::expected<std::vector<listener>, error> server::open_listeners(engine& on, bool shared_port) {
  listen_options o = options_.sockets;
  o.reuse_port = shared_port;
  unix_listeners_.resize(at_.size(), -1);
  paths_.resize(at_.size());
  std::vector<listener> out;
  out.reserve(at_.size());
  for (std::size_t i = 0; i < at_.size(); ++i) {
    endpoint& e = at_[i];
    if (unix_listeners_[i] >= 0) {  // there is no SO_REUSEPORT for a path: the queue is shared
      const int fd = os_.dup(unix_listeners_[i]);
      if (fd < 0) {
        const std::error_code code(-fd, std::system_category());
        return std::unexpected(
            error{code, "cannot share " + e.to_string() + ": " + code.message()});
      }
      out.push_back(listener::adopt(on, fd));
      continue;
    }
    auto l = listener::open(on, e, o);
    if (!l) return std::unexpected(l.error());
    if (e.is_tcp()) {
      e = l->local();
      out.push_back(std::move(*l));
    } else {
      paths_[i] = std::exchange(l->path_, {});
      out.push_back(listener::adopt(on, l->release()));
      unix_listeners_[i] = out.back().native_handle();
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

// With SO_REUSEPORT a second server on the same port would silently take half of the connections.
server::outcome server::claim_addresses(engine& on) {
  for (const endpoint& e : at_) {
    if (!e.is_tcp() || e.port() == 0) continue;
    listen_options o = options_.sockets;
    o.reuse_port = false;
    if (auto l = listener::open(on, e, o); !l) return std::unexpected(l.error());
  }
  return {};
}

void server::announce() {
  if (options_.on_listening) options_.on_listening(model_, at_);
}

// One loop that accepts, and whatever `body` makes of its listeners.
server::outcome server::serve_on_one_loop(std::string_view engine, const loop_body& body) {
  auto on = make_engine_on(os_, engine, options_.engine);
  if (!on) return std::unexpected(on.error());
  auto listeners = open_listeners(**on, false);
  if (!listeners) return std::unexpected(listeners.error());
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  (*on)->run(body(std::move(*listeners)));
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
    task<void> handled = handler_(std::move(s));  // named: a temporary would be kept, too
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
  log_once(log_cause::failure, [&] {
    std::string why = "a handler failed, its connection is closed";
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
  connections.start(handler_, std::move(s), std::move(at));
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
  task<void> turn_away_rest = turn_away_queued(listeners);  // its memory
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
    if (worker_ && !worker_->one_queue) acceptors.spawn(stand_in(*worker_, take));
    co_await stopped;
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  stopping_ = true;
  remove_socket_files();
  detail::bare_scope timer;
  try {
    timer.spawn(cut_after_timeout(acceptors, connections));
    timer.spawn(connections_.let_linger());
  } catch (const std::bad_alloc&) {  // no memory to wait
    cut(acceptors, connections);
  }
  if (!one_at_a_time) acceptors.cancel();
  connections_.drain();
  connections.drain();
  if (acceptors.to_be_joined()) co_await acceptors.join();
  if (!worker_) co_await turn_away_rest;  // else the supervisor does
  listeners.clear();
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
  return report();
}

}  // namespace iolite

// The placements shared and thread. See server.hpp.
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "kernel/thread.hpp"
#include "models/backends.hpp"
#include "serve/placements/loop_run.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <exception>
#include <new>
#include <utility>

namespace iolite {

// --- shared: this thread runs everything ---

server::outcome server::serve_shared() {
  auto on = make_engine_on(os_, model_.engine, options_.engine);
  if (!on) return std::unexpected(on.error());
  auto run = std::make_unique<loop_run>(shared_from_this(), std::move(*on));
  auto listeners = open_listeners(*run->on, false);
  if (!listeners) return std::unexpected(listeners.error());
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  loop_run::to_end(std::move(run), with_beside(loop(std::move(*listeners), until_latch())));
  return {};
}

// --- thread: a loop accepts, each connection has a thread and an engine of its own ---

server::outcome server::serve_thread() {
  auto r = serve_on_one_loop(
      "poll", [this](std::vector<listener> l) { return accept_for_threads(std::move(l)); });
  note_left_behind(connections_.live());
  return r;
}

task<void> server::accept_for_threads(std::vector<listener> listeners) {
  const sink take = [this](stream s, place at) {
    return start_thread(std::move(s), std::move(at));
  };
  task<void> end = end_threads();  // its memory, before there is anything to end
  co_await accept_until_stopped(listeners, take, connections_block());
  co_await end;
}

// The connection waits for what it needs, as it would in the listener's queue, and accepting with
// it: a newcomer that does not fit is not turned away.
task<void> server::start_thread(stream s, place at) {
  while (!stopping_) {
    const std::error_code failed = try_start_thread(s, at);
    if (!failed) co_return;
    note_pause(failed);
    auto change = next_end();
    static_cast<void>(co_await (change | within(pause_length)));
  }
  turn_away(std::move(s));
}

// Takes the descriptor out of `s`, and `at`, once there is a thread for it.
std::error_code server::try_start_thread(stream& s, place& at) {
  try {
    auto on = connection_engine();
    if (!on) return on.error().code;
    os_thread(os_, [self = shared_from_this(), mine = std::shared_ptr<engine>(std::move(*on)),
                    entry = connections_.add(s.native_handle()), fd = s.native_handle(),
                    tcp = s.is_tcp()]() mutable {
      entry->enter(self->connections_.held());
      self->run_alone(mine, fd, tcp, *entry);
      mine.reset();  // while the entry says that the thread is there
      entry.reset();
    }).detach();
  } catch (const std::system_error& e) {
    return e.code();
  } catch (const std::bad_alloc&) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
  static_cast<void>(s.release());
  at.hand_over();
  return {};
}

void server::run_alone(const std::shared_ptr<engine>& on, int fd, bool tcp,
                       connection_table::entry& entry) noexcept {
  const bool blocking = on->traits().blocking;
  if (blocking) entry.needs(on, shared_from_this());
  entry.runs_on(on.get(), true);
  try {
    on->run(connection(stream(*on, fd, tcp), entry));
  } catch (const std::bad_alloc&) {
    note_starved_connection();
  }
  entry.runs_on(nullptr);
  if (!blocking) entry.close_stream();  // the engine ends here
}

void server::note_starved_connection() noexcept {
  ++counts_.handler_failures;
  log_once(log_cause::failure, [] { return "no memory for a connection, it is closed"; });
}

// Threads cannot be ended from outside: their connections are.
task<void> server::end_threads() {
  connections_.drain();
  detail::bare_scope lookers;
  try {
    lookers.spawn(connections_.let_linger());
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): what lingers is cut then
  }
  auto gone = connections_.none_left();
  if (const auto r = co_await (gone | until(drained_by_)); !r) {
    counts_.connections_cancelled += connections_.cut();
    auto gone_now = connections_.none_left();
    static_cast<void>(co_await (gone_now | within(grace)));
  }
  lookers.cancel();
  if (lookers.to_be_joined()) co_await lookers.join();
}

}  // namespace iolite

// The placements in one process: shared, thread, pool. See server.hpp.
#include "backends.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "kernel/thread.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace iolite {
namespace {

unsigned workers_of(const serve_options& o, unsigned usual) {
  return o.workers > 0 ? o.workers : std::max(usual, 1U);
}

// Joins what was started, however the function ends.
struct joined_threads {
  std::vector<os_thread> all;
  ~joined_threads() { join(); }
  void join() {
    for (os_thread& t : std::exchange(all, {})) t.join();
  }
};

}  // namespace

// --- shared ---

server::outcome server::serve_shared() {
  return serve_on_one_loop(
      model_.engine, [this](std::vector<listener> l) { return loop(std::move(l), until_latch()); });
}

// --- thread: a loop accepts, each connection has a thread and an engine of its own ---

server::outcome server::serve_thread() {
  return serve_on_one_loop(
      "poll", [this](std::vector<listener> l) { return accept_for_threads(std::move(l)); });
}

task<void> server::accept_for_threads(std::vector<listener> listeners) {
  const sink take = [this](stream s) { return start_thread(std::move(s)); };
  co_await accept_until_stopped(listeners, take, connections_block());
  co_await end_threads();
}

// The connection waits for what it needs, as it would in the listener's queue, and accepting with
// it: a newcomer that does not fit is not turned away.
task<void> server::start_thread(stream s) {
  while (!stopping_) {
    const std::error_code failed = try_start_thread(s);
    if (!failed) co_return;
    co_await pause_accepting(failed);
  }
}

// Takes the descriptor out of `s` once there is a thread for it.
std::error_code server::try_start_thread(stream& s) {
  auto on = connection_engine();
  if (!on) return on.error().code;
  auto entry = std::make_unique<connection_table::entry>(connections_, s.native_handle());
  try {
    os_thread(os_, [self = shared_from_this(), e = std::move(entry), mine = std::move(*on),
                    fd = s.native_handle(), tcp = s.is_tcp()]() mutable {
      self->run_alone(*mine, fd, tcp, *e);
      mine.reset();
      e.reset();
    }).detach();
  } catch (const std::system_error& e) {
    return e.code();
  }
  static_cast<void>(s.release());
  return {};
}

void server::run_alone(engine& on, int fd, bool tcp, connection_table::entry& entry) noexcept {
  entry.runs_on(&on, true);
  on.run(connection(stream(on, fd, tcp), entry));
  entry.runs_on(nullptr);
}

// Threads cannot be ended from outside: their connections are.
task<void> server::end_threads() {
  connections_.drain();
  auto gone = connections_.none_left();
  if (co_await (gone | within(options_.drain_timeout))) co_return;
  counts_->connections_cancelled += connections_.cut();
  auto gone_now = connections_.none_left();
  static_cast<void>(co_await (gone_now | within(std::chrono::seconds(1))));
}

// --- pool: N loops, each with its own listeners on the same ports ---

server::outcome server::serve_pool() {
  const unsigned n = workers_of(options_, std::thread::hardware_concurrency());
  std::vector<std::unique_ptr<engine>> engines;
  std::vector<std::vector<listener>> listeners;
  for (unsigned i = 0; i < n; ++i) {
    auto on = make_engine_on(os_, model_.engine, options_.engine);
    if (!on) return std::unexpected(on.error());
    if (i == 0) {
      if (auto r = claim_addresses(**on); !r) return r;
    }
    auto opened = open_listeners(**on, true);
    if (!opened) return std::unexpected(opened.error());
    engines.push_back(std::move(*on));
    listeners.push_back(std::move(*opened));
  }
  auto control = make_engine_on(os_, "blocking");
  if (!control) return std::unexpected(control.error());
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  joined_threads threads;
  for (unsigned i = 0; i < n; ++i) {
    threads.all.emplace_back(
        os_, [this, on = std::move(engines[i]), mine = std::move(listeners[i])]() mutable {
          on->run(loop(std::move(mine), until_event()));
        });
  }
  (*control)->run(until_latch());
  stop_workers_.set();
  return {};
}

// --- blocking/pool: N workers fed from one queue ---

server::outcome server::serve_queue() {
  const unsigned n = workers_of(options_, 16);
  auto on = make_engine_on(os_, "poll");
  if (!on) return std::unexpected(on.error());
  auto listeners = open_listeners(**on, false);
  if (!listeners) return std::unexpected(listeners.error());
  channel<accepted> queue(n);
  const stop_signals signals(os_, *latch_, options_.signals);
  joined_threads threads;
  for (unsigned i = 0; i < n; ++i) {
    auto worker = make_plain_blocking(os_);
    if (!worker) {
      queue.close();
      return std::unexpected(worker.error());
    }
    threads.all.emplace_back(
        os_, [this, &queue, e = std::move(*worker)]() mutable { e->run(work_off(queue, *e)); });
  }
  announce();
  (*on)->run(accept_for_queue(std::move(*listeners), queue));
  threads.join();
  while (const auto left = queue.try_receive()) os_.close(left->fd);  // the workers were cut off
  return {};
}

task<void> server::work_off(channel<accepted>& queue, engine& on) {
  for (;;) {
    const auto next = co_await queue.receive();
    if (!next) co_return;
    connection_table::entry entry(connections_, next->fd);
    entry.runs_on(&on, true);
    co_await connection(stream(on, next->fd, next->tcp), entry);
    entry.runs_on(nullptr);
  }
}

task<void> server::accept_for_queue(std::vector<listener> listeners, channel<accepted>& queue) {
  const sink take = [&](stream s) { return into_queue(queue, std::move(s)); };
  co_await accept_until_stopped(listeners, take, true);
  queue.close();
  co_await end_threads();
}

// Waits while all workers are busy and the queue is full: then accepting waits too.
task<void> server::into_queue(channel<accepted>& queue, stream s) {
  const accepted one{s.native_handle(), s.is_tcp()};
  if (co_await queue.send(one)) static_cast<void>(s.release());
}

}  // namespace iolite

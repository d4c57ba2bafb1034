// The placement pool: N event loops, or N blocking workers. See server.hpp.
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "models/backends.hpp"
#include "serve/placements/loop_run.hpp"
#include "serve/placements/worker_threads.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <new>
#include <system_error>
#include <utility>

namespace iolite {
namespace {

std::unexpected<error> no_thread(const std::system_error& e, unsigned n, unsigned of) {
  return std::unexpected(error{e.code(), "cannot start worker " + std::to_string(n) + " of " +
                                             std::to_string(of) + ": " + e.code().message() +
                                             "; raise `ulimit -u` or take fewer workers"});
}

}  // namespace

// --- N loops, each with its own listeners on the same ports ---

server::outcome server::serve_pool() {
  const unsigned n = of_->workers();
  std::vector<std::unique_ptr<engine>> engines;
  std::vector<std::vector<listener>> listeners;
  for (unsigned i = 0; i < n; ++i) {
    auto on = make_engine_on(os_, model_.engine, options_.engine);
    if (!on) return std::unexpected(on.error());
    auto opened = open_listeners(**on, true);
    if (!opened) return std::unexpected(opened.error());
    engines.push_back(std::move(*on));
    listeners.push_back(std::move(*opened));
  }
  auto control = make_engine_on(os_, "blocking");
  if (!control) return std::unexpected(control.error());
  const auto shares = std::make_shared<pool_shares>(os_, n);
  const stop_signals signals(os_, *latch_, options_.signals);
  const auto end_all = [this] {
    stopping_ = true;
    stop_workers_.set();
    all_are_up_.set();
  };
  worker_threads threads(os_, end_all, [this] { latch_->request(); });
  for (unsigned i = 0; i < n; ++i) {
    try {
      threads.start([self = shared_from_this(), shares = shares, i, on = std::move(engines[i]),
                     own = std::move(listeners[i])]() mutable {
        on->run(self->loop_of_pool(std::move(own), std::move(shares), i));
      });
    } catch (const std::system_error& e) {
      return no_thread(e, i + 1, n);
    }
  }
  announce();
  all_are_up_.set();
  (*control)->run(until_latch());
  stop_workers_.set();
  threads.settle(deadline_after(deadline_after(os_.now(), options_.drain_timeout), grace));
  note_left_behind(connections_.live());
  return {};
}

// Accepts nothing before all of them are there.
task<void> server::loop_of_pool(std::vector<listener> own, std::shared_ptr<pool_shares> shares,
                                std::size_t mine) {
  auto up = all_are_up_.wait();
  static_cast<void>(co_await up);
  task<void> whole =
      with_beside(loop(std::move(own), until_event(), shares.get(), mine), {mine == 0, mine == 0});
  co_await whole;
}

// A descriptor of the engine's own can be used by no other.
task<void> server::share_out(pool_shares& pool, pool_shares::seat& mine,
                             loop_connections& connections, stream s, place at) {
  const pool_shares::newcomer n{s.native_handle(), s.is_tcp()};
  if (!stopping_ && !s.on()->traits().own_descriptors && pool.hand_on(mine, n)) {
    static_cast<void>(s.release());
    at.hand_over();
    co_return;
  }
  start_on_loop(connections, std::move(s), std::move(at));
}

task<void> server::take_newcomers(pool_shares::seat& mine, loop_connections& connections) {
  for (bool starved = false;;) {
    if (std::exchange(starved, false)) {
      auto pause = sleep(pause_length);
      if (!co_await pause) co_return;
    }
    try {
      const auto next = co_await mine.coming.receive();
      if (!next) co_return;
      take_newcomer(*next, mine, connections);
    } catch (const std::bad_alloc&) {  // none to receive with: it stays in the queue
      starved = true;
    }
  }
}

void server::take_newcomer(pool_shares::newcomer n, pool_shares::seat& mine,
                           loop_connections& connections) {
  mine.live.fetch_sub(1, std::memory_order_relaxed);  // it was on its way
  try {
    start_on_loop(connections, stream(connections.on(), n.fd, n.tcp), connections_.held());
  } catch (const std::bad_alloc&) {
    note_starved_connection();
  }
}

// --- blocking: N workers fed from one queue ---

// Connections that wait for a worker. Those that are left at the end are turned away.
struct server::waiting_room {
  struct accepted {  // it has its place: connection_table::place::hand_over()
    int fd;
    bool tcp;
  };
  server& of;
  channel<accepted> queue;

  waiting_room(server& s, unsigned n) : of(s), queue(n) {}
  waiting_room(const waiting_room&) = delete;
  waiting_room& operator=(const waiting_room&) = delete;
  ~waiting_room() { turn_all_away(); }
  void turn_all_away() noexcept {
    while (const auto left = queue.try_receive()) turn_away(*left);
  }
  void turn_away(const accepted& a) noexcept {
    of.connections_.turn_away(a.fd, a.tcp);
    ++of.counts_.connections_cancelled;
    of.connections_.went();
  }
};

server::outcome server::serve_queue() {
  const unsigned n = of_->workers();
  auto on = make_engine_on(os_, "poll");
  if (!on) return std::unexpected(on.error());
  auto run = std::make_unique<loop_run>(shared_from_this(), std::move(*on));
  auto listeners = open_listeners(*run->on, false);
  if (!listeners) return std::unexpected(listeners.error());
  const auto queue = std::make_shared<waiting_room>(*this, n);
  const stop_signals signals(os_, *latch_, options_.signals);
  const auto end_all = [&] {
    stopping_ = true;  // without memory a worker is not told by the queue
    queue->queue.close();
  };
  worker_threads threads(os_, end_all, [this] { latch_->request(); });
  for (unsigned i = 0; i < n; ++i) {
    auto worker = make_plain_blocking(os_, options_.engine.lease_memory);
    if (!worker) return std::unexpected(worker.error());
    try {
      threads.start([self = shared_from_this(), queue = queue,
                     e = std::shared_ptr<engine>(std::move(*worker))]() mutable {
        e->run(self->work_off(std::move(queue), e));
      });
    } catch (const std::system_error& e) {
      return no_thread(e, i + 1, n);
    }
  }
  announce();
  loop_run::to_end(std::move(run), with_beside(accept_for_queue(std::move(*listeners), *queue)));
  end_all();
  threads.settle(deadline_after(os_.now(), grace));
  queue->turn_all_away();
  note_left_behind(connections_.live());
  return {};
}

task<void> server::work_off(std::shared_ptr<waiting_room> room, std::shared_ptr<engine> on) {
  for (bool starved = false;;) {
    if (std::exchange(starved, false)) co_await sleep(pause_length);
    try {
      const auto next = co_await room->queue.receive();
      if (!next) co_return;
      if (connections_.was_cut()) {
        room->turn_away(*next);
        continue;
      }
      stream s(*on, next->fd, next->tcp);
      place at = connections_.held();
      const auto entry = connections_.add(next->fd);
      entry->enter(std::move(at));
      entry->needs(on, shared_from_this());
      entry->runs_on(on.get(), true);
      co_await connection(std::move(s), *entry);
      entry->runs_on(nullptr);
    } catch (const std::bad_alloc&) {  // of one connection at most: it is closed
      note_starved_connection();
      if (stopping_) co_return;  // what is left in the queue is closed
      starved = true;
    }
  }
}

task<void> server::accept_for_queue(std::vector<listener> listeners, waiting_room& room) {
  const sink take = [&](stream s, place at) {
    return into_queue(room, std::move(s), std::move(at));
  };
  task<void> end = end_threads();
  co_await accept_until_stopped(listeners, take, true);
  room.queue.close();
  co_await end;
}

// Waits while all workers are busy and the queue is full: then accepting waits too.
task<void> server::into_queue(waiting_room& room, stream s, place at) {
  const waiting_room::accepted one{s.native_handle(), s.is_tcp()};
  auto sent = room.queue.send(one);
  if (!co_await sent) co_return turn_away(std::move(s));
  static_cast<void>(s.release());
  at.hand_over();
}

}  // namespace iolite

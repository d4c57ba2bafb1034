// The placements in one process: shared, thread, pool. See server.hpp.
#include "backends.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "kernel/thread.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

namespace iolite {
namespace {

unsigned workers_of(const serve_options& o, unsigned usual) {
  return o.workers > 0 ? o.workers : std::max(usual, 1U);
}

// Threads that are joined however the function ends. `end_all` makes them end; `on_failure` is
// called by one that has thrown, and the first exception comes out of join().
class joined_threads {
 public:
  joined_threads(kernel& os, std::function<void()> end_all, std::function<void()> on_failure)
      : os_(os), end_all_(std::move(end_all)), on_failure_(std::move(on_failure)) {}
  joined_threads(const joined_threads&) = delete;
  joined_threads& operator=(const joined_threads&) = delete;
  ~joined_threads() {
    end_all_();
    wait();
  }
  template <class Body>
  void start(Body body) {
    all_.emplace_back(os_, [this, own = std::move(body)]() mutable {
      try {
        own();
      } catch (...) {
        const std::lock_guard hold(lock_);
        if (!thrown_) thrown_ = std::current_exception();
        on_failure_();
      }
    });
  }
  void join() {
    wait();
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  void wait() noexcept {
    for (os_thread& t : all_) t.join();
    all_.clear();
  }

  kernel& os_;
  const std::function<void()> end_all_;
  const std::function<void()> on_failure_;
  std::vector<os_thread> all_;
  std::mutex lock_;
  std::exception_ptr thrown_;
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
  task<void> end = end_threads();  // its memory, before there is anything to end
  co_await accept_until_stopped(listeners, take, connections_block());
  co_await end;
}

// The connection waits for what it needs, as it would in the listener's queue, and accepting with
// it: a newcomer that does not fit is not turned away.
task<void> server::start_thread(stream s) {
  while (!stopping_) {
    const std::error_code failed = try_start_thread(s);
    if (!failed) co_return;
    note_pause(failed);
    auto change = next_end();
    static_cast<void>(co_await (change | within(pause_length)));
  }
}

// Takes the descriptor out of `s` once there is a thread for it.
std::error_code server::try_start_thread(stream& s) {
  try {
    auto on = connection_engine();
    if (!on) return on.error().code;
    auto entry = std::make_unique<connection_table::entry>(connections_, s.native_handle());
    os_thread(os_, [self = shared_from_this(), e = std::move(entry), mine = std::move(*on),
                    fd = s.native_handle(), tcp = s.is_tcp()]() mutable {
      self->run_alone(*mine, fd, tcp, *e);
      mine.reset();
      e.reset();
    }).detach();
  } catch (const std::system_error& e) {
    return e.code();
  } catch (const std::bad_alloc&) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
  static_cast<void>(s.release());
  return {};
}

void server::run_alone(engine& on, int fd, bool tcp, connection_table::entry& entry) noexcept {
  entry.runs_on(&on, true);
  try {
    on.run(connection(stream(on, fd, tcp), &entry));
  } catch (const std::bad_alloc&) {
    note_starved_connection();
  }
  entry.runs_on(nullptr);
}

void server::note_starved_connection() noexcept {
  ++counts_->handler_failures;
  log_once(cause::failure, [] { return "no memory for a connection, it is closed"; });
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
  pool_shares shares(os_, n);  // outlives the threads
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  joined_threads threads(os_, [this] { stop_workers_.set(); }, [this] { latch_->request(); });
  for (unsigned i = 0; i < n; ++i) {
    threads.start(
        [this, &shares, i, on = std::move(engines[i]), own = std::move(listeners[i])]() mutable {
          on->run(loop(std::move(own), until_event(), &shares, i));
        });
  }
  (*control)->run(until_latch());
  stop_workers_.set();
  threads.join();
  return {};
}

// A descriptor of the engine's own can be used by no other.
task<void> server::share_out(pool_shares& pool, pool_shares::seat& mine,
                             loop_connections& connections, stream s) {
  const pool_shares::newcomer n{s.native_handle(), s.is_tcp()};
  if (!stopping_ && !s.on()->traits().own_descriptors && pool.hand_on(mine, n)) {
    static_cast<void>(s.release());
    co_return;
  }
  start_on_loop(connections, std::move(s));
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
    start_on_loop(connections, stream(connections.on(), n.fd, n.tcp));
  } catch (const std::bad_alloc&) {
    note_starved_connection();
  }
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
  struct emptied {
    kernel& os;
    channel<accepted>& queue;
    ~emptied() {
      while (const auto left = queue.try_receive()) os.close(left->fd);
    }
  };
  const emptied when_the_workers_have_ended{os_, queue};  // they may have been cut off
  const auto end_workers = [&] {
    stopping_ = true;  // without memory a worker is not told by the queue
    queue.close();
  };
  joined_threads threads(os_, end_workers, [this] { latch_->request(); });
  for (unsigned i = 0; i < n; ++i) {
    auto worker = make_plain_blocking(os_);
    if (!worker) return std::unexpected(worker.error());
    threads.start(
        [this, &queue, e = std::move(*worker)]() mutable { e->run(work_off(queue, *e)); });
  }
  announce();
  (*on)->run(accept_for_queue(std::move(*listeners), queue));
  threads.join();
  return {};
}

task<void> server::work_off(channel<accepted>& queue, engine& on) {
  for (bool starved = false;;) {
    if (std::exchange(starved, false)) co_await sleep(pause_length);
    try {
      const auto next = co_await queue.receive();
      if (!next) co_return;
      connection_table::entry entry(connections_, next->fd);
      entry.runs_on(&on, true);
      co_await connection(stream(on, next->fd, next->tcp), &entry);
      entry.runs_on(nullptr);
    } catch (const std::bad_alloc&) {  // of one connection at most: it is closed
      note_starved_connection();
      if (stopping_) co_return;  // what is left in the queue is closed
      starved = true;
    }
  }
}

task<void> server::accept_for_queue(std::vector<listener> listeners, channel<accepted>& queue) {
  const sink take = [&](stream s) { return into_queue(queue, std::move(s)); };
  task<void> end = end_threads();
  co_await accept_until_stopped(listeners, take, true);
  queue.close();
  co_await end;
}

// Waits while all workers are busy and the queue is full: then accepting waits too.
task<void> server::into_queue(channel<accepted>& queue, stream s) {
  const accepted one{s.native_handle(), s.is_tcp()};
  if (co_await queue.send(one)) static_cast<void>(s.release());
}

}  // namespace iolite

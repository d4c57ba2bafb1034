// One process of a serve(): what all placements share, and a member for each placement.
//
// A child process makes one of its own from the same service, so it has connections, a latch and
// everything else to itself, also where a fork does not copy memory (a simulated one).
#pragma once
#include "iolite/channel.hpp"
#include "iolite/serve.hpp"
#include "kernel/kernel.hpp"
#include "serve/connections.hpp"
#include "serve/pool_shares.hpp"
#include "serve/service.hpp"
#include "serve/stop.hpp"
#include "serve/worker.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace iolite {

// Kept alive by its threads, too: one that does not end in time outlives serve().
class server : public std::enable_shared_from_this<server> {
 public:
  server(kernel& os, std::shared_ptr<const service> of);
  server(kernel& os, handler h, const serve_options& options, model_choice model)
      : server(os, std::make_shared<const service>(os, std::move(h), options, std::move(model))) {}
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  [[nodiscard]] std::expected<serve_report, error> run();

 private:
  using place = connection_table::place;
  using sink = std::function<task<void>(stream, place)>;
  using outcome = std::expected<void, error>;
  using loop_body = std::function<task<void>(std::vector<listener>)>;
  // Without a descriptor or memory the queue keeps the connections. A connection that ends frees
  // what is missing, and somebody else may: look again soon. 50 times a second costs nothing.
  static constexpr clock::duration pause_length = std::chrono::milliseconds(20);
  // After drain_timeout, for who was cancelled to end. Who has not ended then is left behind.
  static constexpr clock::duration grace = std::chrono::seconds(1);

  // --- server.cpp: addresses, one connection, draining ---
  outcome check() const;
  outcome parse_addresses();
  [[nodiscard]] std::expected<std::vector<listener>, error> open_listeners(engine& on,
                                                                           bool shared_port);
  outcome claim_addresses(engine& on);
  void remove_socket_files() noexcept;
  void announce();
  outcome serve_on_one_loop(std::string_view engine, const loop_body& body);
  [[nodiscard]] std::expected<std::unique_ptr<engine>, error> connection_engine() const;
  // For those that no event loop runs. Gives the connection to its entry, so that it is known when
  // it is closed, whoever does it. From accept to the end of its handler; `known` where it has an
  // entry already.
  task<void> connection(stream s, connection_table::entry& entry);
  void limit(stream& s) const;  // throws std::bad_alloc
  void note_failure(const std::exception_ptr& thrown) noexcept;
  void start_on_loop(loop_connections& connections, stream s, place at);
  task<void> take_on_loop(loop_connections& connections, stream s, place at);
  task<void> take_alone(stream s, place at);
  task<void> loop(std::vector<listener> listeners, task<void> stopped, pool_shares* pool = nullptr,
                  std::size_t mine = 0);
  task<void> cut_after_timeout(scope& acceptors, loop_connections& connections);
  void cut(scope& acceptors, loop_connections& connections) noexcept;
  task<void> until_latch();
  task<void> until_event();
  void note_left_behind(std::uint64_t connections) noexcept;
  void tell_losses() noexcept;
  template <class Make>
  void log_once(log_cause c, Make line) noexcept {
    log_.tell(c, os_.now(), std::move(line));
  }
  serve_report report() const noexcept;

  // --- accepting.cpp ---
  [[nodiscard]] bool connections_block() const;
  task<void> accept_until_stopped(std::vector<listener>& listeners, const sink& take,
                                  bool blocking_sockets);
  task<void> accept_all(listener& from, const sink& take);
  task<place> wait_for_place();
  task<void> turn_away_queued(std::vector<listener>& listeners);
  void turn_away(stream s) noexcept;
  void note_pause(const std::error_code& why) noexcept;
  void note_full_house() noexcept;
  // Also before this process was told so: its listeners are shut down then.
  [[nodiscard]] bool is_stopping() const noexcept { return stopping_ || counts_.stopping; }
  // co_await next_end(): the next connection that ends, or a while.
  [[nodiscard]] auto next_end() noexcept { return connections_.one_ended(connections_.ended()); }

  // --- threads.cpp: shared, thread ---
  struct loop_run;
  outcome serve_shared();
  outcome serve_thread();
  task<void> accept_for_threads(std::vector<listener> listeners);
  task<void> start_thread(stream s, place at);
  [[nodiscard]] std::error_code try_start_thread(stream& s, place& at);
  void run_alone(const std::shared_ptr<engine>& on, int fd, bool tcp,
                 connection_table::entry& entry) noexcept;
  void note_starved_connection() noexcept;
  task<void> end_threads();

  // --- pools.cpp: pool ---
  outcome serve_pool();
  task<void> loop_of_pool(std::vector<listener> own, std::shared_ptr<pool_shares> shares,
                          std::size_t mine);
  task<void> share_out(pool_shares& pool, pool_shares::seat& mine, loop_connections& connections,
                       stream s, place at);
  task<void> take_newcomers(pool_shares::seat& mine, loop_connections& connections);
  void take_newcomer(pool_shares::newcomer n, pool_shares::seat& mine,
                     loop_connections& connections);
  outcome serve_queue();  // blocking/pool
  struct waiting_room;
  task<void> work_off(std::shared_ptr<waiting_room> queue, std::shared_ptr<engine> on);
  task<void> accept_for_queue(std::vector<listener> listeners, waiting_room& queue);
  task<void> into_queue(waiting_room& queue, stream s, place at);

  // --- processes.cpp: process ---
  class connection_processes;
  outcome serve_process();
  [[nodiscard]] int serve_one(int fd, bool tcp);

  // --- prefork.cpp, prefork_worker.cpp ---
  class worker_processes;
  outcome serve_prefork();
  [[nodiscard]] int serve_as(worker_part part);
  task<void> stand_in(worker_part& part, const sink& take);

  // Set once. All but `at_` and `worker_` are read-only and the same in all processes.
  const std::shared_ptr<const service> of_;
  const handler& handler_ = of_->handle;
  const serve_options& options_ = of_->options;
  const model_choice& model_ = of_->model;
  kernel& os_;
  serve_counts& counts_ = of_->counts;
  std::vector<endpoint> at_;
  std::vector<int> unix_listeners_;  // by address, the first of those that share it; -1: none
  std::vector<detail::socket_path> paths_;  // of those that have one; else empty
  std::optional<worker_part> worker_;  // prefork, in a worker

  // Any thread.
  connection_table connections_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> paths_removed_ = false;
  event stop_workers_;
  event all_are_up_;
  stop_latch own_latch_;
  stop_latch* latch_ = &own_latch_;
  server_log log_{options_.log, counts_.logged};
};

}  // namespace iolite

// One process of a serve(): what all placements share, and a member for each placement.
//
// A child process makes one of its own from the same service, so it has connections, a latch and
// everything else to itself, also where a fork does not copy memory (a simulated one).
#pragma once
#include "iolite/channel.hpp"
#include "iolite/mutex.hpp"
#include "iolite/serve.hpp"
#include "kernel/kernel.hpp"
#include "serve/connections.hpp"
#include "serve/placements/pool_shares.hpp"
#include "serve/placements/worker.hpp"
#include "serve/service.hpp"
#include "serve/spare_descriptor.hpp"
#include "serve/stop.hpp"

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace iolite {

// Kept alive by its threads, too: one that does not end in time outlives serve().
class server final : public std::enable_shared_from_this<server>, public serving {
 public:
  server(kernel& os, std::shared_ptr<service> of);
  server(kernel& os, handler h, const serve_options& options, model_choice model)
      : server(os, std::make_shared<service>(os, std::move(h), options, std::move(model))) {}
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
  // How long cancelled handlers have to end after drain_timeout. The others are abandoned.
  static constexpr clock::duration grace = std::chrono::seconds(1);

  // --- server.cpp: addresses, one connection, draining ---
  outcome check() const;
  outcome parse_addresses();
  [[nodiscard]] std::expected<std::vector<listener>, error> open_listeners(engine& on,
                                                                           bool shared_port);
  [[nodiscard]] int share_port(const listener& l) noexcept;
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
  void note_thrown(log_cause c, const char* what,
                   const std::exception_ptr& thrown = std::current_exception()) noexcept;
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

  // --- serving.cpp ---
  [[nodiscard]] bool draining() const noexcept override;
  [[nodiscard]] task<result<void>> drain_begins() override;
  [[nodiscard]] serve_report report() const noexcept override;
  task<result<void>> signal_comes();
  // serve_options::meter reads its service for as long as it lives.
  class metered {
   public:
    explicit metered(const service& of) noexcept;
    metered(const metered&) = delete;
    metered& operator=(const metered&) = delete;
    ~metered();

   private:
    serve_meter* const meter_;
  };
  void begin_drain() noexcept;
  // Whether a loop is the first one of its process, and of the server.
  struct loop_rank {
    bool of_process = true;
    bool of_server = true;
  };
  // `body`, which accepts, with those tasks of the program beside it that belong there.
  [[nodiscard]] task<void> with_beside(task<void> body, loop_rank which = {true, true});
  task<void> run_with_beside(task<void> body, loop_rank which);
  void start_beside(scope& tasks, loop_rank which);
  task<void> run_beside(const server_task& what);
  task<void> say_goodbye();
  task<void> end_beside(scope& tasks);
  task<void> leave_after_grace();

  // --- accepting.cpp ---
  [[nodiscard]] bool connections_block() const;
  task<void> accept_until_stopped(std::vector<listener>& listeners, const sink& take,
                                  bool blocking_sockets);
  task<void> accept_all(listener& from, const sink& take);
  [[nodiscard]] bool is_admitted(stream& s) noexcept;
  task<place> wait_for_place();
  class undecided;
  [[nodiscard]] std::vector<int> undecided_numbers() const;  // process
  task<void> turn_away_queued(std::vector<listener>& listeners, spare_descriptor& spare);
  void turn_away(stream s) noexcept;
  void note_pause(const std::error_code& why) noexcept;
  void note_full_house() noexcept;
  // Also before this process was told so: its listeners are shut down then.
  [[nodiscard]] bool is_stopping() const noexcept { return stopping_ || counts_.stopping; }
  // co_await next_end(): the next connection that ends, or a while.
  [[nodiscard]] auto next_end() noexcept { return connections_.one_ended(connections_.ended()); }

  // --- threads.cpp: shared, thread ---
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
  task<void> stand_in(worker_part& part, const sink& take, std::list<substitute>& substitutes);
  task<void> turn_away_ahead(std::vector<listener>& own, std::list<substitute>& substitutes);

  // Set once. All but `at_` and `worker_` are read-only and the same in all processes.
  const std::shared_ptr<service> of_;
  const handler& handler_ = of_->handle;
  const serve_options& options_ = of_->options;
  const model_choice& model_ = of_->model;
  kernel& os_;
  serve_counts& counts_ = of_->counts;
  std::vector<endpoint> at_;
  // By address: the socket whose queue all listeners share, a unix path's or a lent one; -1: none.
  std::vector<int> shared_queues_;
  std::vector<bool> lent_;  // by address: passed to serve(), whose caller keeps it
  std::vector<detail::socket_path> paths_;  // of those that have one; else empty
  std::optional<worker_part> worker_;  // prefork, in a worker
  undecided* undecided_ = nullptr;  // process, in the supervisor
  bool has_one_connection_ = false;  // process, in a child
  clock::time_point drained_by_ = never;  // where one loop accepts for all

  // Any thread.
  connection_table connections_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> paths_removed_ = false;
  std::atomic<unsigned> beside_running_ = 0;  // tasks beside the connections
  event drain_begins_;
  event goodbye_is_said_;
  mutex waits_for_signal_;  // where nothing but a latch tells of the drain
  event stop_workers_;
  event all_are_up_;
  stop_latch own_latch_;
  stop_latch* latch_ = &own_latch_;
  server_log log_{options_.log, counts_.logged};
};

}  // namespace iolite

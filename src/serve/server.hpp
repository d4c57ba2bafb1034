// One serve(): what all placements share, and a member for each placement.
#pragma once
#include "iolite/channel.hpp"
#include "iolite/serve.hpp"
#include "kernel/kernel.hpp"
#include "serve/connections.hpp"
#include "serve/pool_shares.hpp"
#include "serve/stop.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace iolite {

// Counted by all workers, in memory that child processes share.
struct serve_counts {
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<std::uint64_t> handler_failures = 0;
  std::atomic<std::uint64_t> accept_pauses = 0;
  std::atomic<std::uint64_t> children_restarted = 0;
  std::atomic<std::uint64_t> connections_cancelled = 0;
};

// Kept alive by its threads, too: one that does not end in time outlives serve().
class server : public std::enable_shared_from_this<server> {
 public:
  server(kernel& os, handler h, const serve_options& options, model_choice model);
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  [[nodiscard]] std::expected<serve_report, error> run();

 private:
  using sink = std::function<task<void>(stream)>;
  using outcome = std::expected<void, error>;
  using loop_body = std::function<task<void>(std::vector<listener>)>;
  enum class cause : std::uint8_t { no_descriptor, full, accept, failure, child };
  // Without a descriptor or memory the queue keeps the connections. A connection that ends frees
  // what is missing, and somebody else may: look again soon. 50 times a second costs nothing.
  static constexpr clock::duration pause_length = std::chrono::milliseconds(20);

  // --- server.cpp: accepting, one connection, draining ---
  outcome check() const;
  outcome parse_addresses();
  [[nodiscard]] std::expected<std::vector<listener>, error> open_listeners(engine& on,
                                                                           bool shared_port);
  outcome claim_addresses(engine& on);
  void remove_socket_files() noexcept;
  void announce();
  outcome serve_on_one_loop(std::string_view engine, const loop_body& body);
  [[nodiscard]] std::expected<std::unique_ptr<engine>, error> connection_engine() const;
  [[nodiscard]] bool connections_block() const;
  task<void> accept_until_stopped(std::vector<listener>& listeners, const sink& take,
                                  bool blocking_sockets);
  task<void> accept_all(listener& from, const sink& take);
  void note_pause(const std::error_code& why) noexcept;
  // co_await next_end(): the next connection that ends, or a while.
  [[nodiscard]] auto next_end() noexcept { return connections_.one_ended(connections_.ended()); }
  // For those that no event loop runs. Gives the connection to its entry, so that it is known when
  // it is closed, whoever does it. From accept to the end of its handler; `known` where it has an
  // entry already.
  task<void> connection(stream s, connection_table::entry* known = nullptr);
  void note_failure(const std::exception_ptr& thrown) noexcept;
  void start_on_loop(loop_connections& connections, stream s);
  task<void> take_on_loop(loop_connections& connections, stream s);
  task<void> loop(std::vector<listener> listeners, task<void> stopped, pool_shares* pool = nullptr,
                  std::size_t mine = 0);
  task<void> cut_after_timeout(scope& acceptors, loop_connections& connections);
  void cut(scope& acceptors, loop_connections& connections) noexcept;
  task<void> until_latch();
  task<void> until_event();
  [[nodiscard]] bool may_log(cause c) noexcept;
  // `line` makes the text; without memory for it there is none.
  template <class Make>
  void log_once(cause c, Make line) noexcept {
    if (!may_log(c)) return;
    try {
      options_.log(line());
    } catch (...) {  // NOLINT(bugprone-empty-catch): a log that fails harms nobody
    }
  }
  serve_report report() const noexcept;

  // --- threads.cpp ---
  outcome serve_shared();
  outcome serve_thread();
  outcome serve_pool();
  task<void> share_out(pool_shares& pool, pool_shares::seat& mine, loop_connections& connections,
                       stream s);
  task<void> take_newcomers(pool_shares::seat& mine, loop_connections& connections);
  void take_newcomer(pool_shares::newcomer n, pool_shares::seat& mine,
                     loop_connections& connections);
  outcome serve_queue();  // blocking/pool
  task<void> accept_for_threads(std::vector<listener> listeners);
  task<void> start_thread(stream s);
  [[nodiscard]] std::error_code try_start_thread(stream& s);
  void run_alone(engine& on, int fd, bool tcp, connection_table::entry& entry) noexcept;
  void note_starved_connection() noexcept;
  task<void> end_threads();
  struct accepted {
    int fd;
    bool tcp;
  };
  task<void> work_off(channel<accepted>& queue, engine& on);
  task<void> accept_for_queue(std::vector<listener> listeners, channel<accepted>& queue);
  task<void> into_queue(channel<accepted>& queue, stream s);

  // --- processes.cpp ---
  outcome serve_process();
  outcome serve_prefork();
  task<void> accept_for_processes(std::vector<listener> listeners);
  task<void> fork_for(scope& children, std::vector<listener>& listeners, stream s);
  task<void> connection_process(std::vector<listener>& listeners, const stream& s, int& forked);
  [[noreturn]] void run_child(std::vector<listener>& listeners, const stream& s,
                              int supervisor) noexcept;
  class kept_listeners;
  task<void> supervise(kept_listeners& listeners);
  task<void> keep_worker(std::vector<std::vector<int>>& listeners, std::size_t mine);
  [[noreturn]] void run_worker(const std::vector<std::vector<int>>& listeners, std::size_t mine,
                               int supervisor) noexcept;
  task<int> ended(const int& pid);
  void tell_children(int number) noexcept;
  void forget_children() noexcept;

  // Set once.
  const handler handler_;
  const serve_options options_;
  const model_choice model_;
  kernel& os_;
  std::vector<endpoint> at_;
  std::vector<int> unix_listeners_;  // by address, the first of those that share it; -1: none
  serve_counts* counts_ = nullptr;

  // Any thread.
  connection_table connections_;
  std::atomic<bool> stopping_ = false;
  event stop_workers_;
  stop_latch own_latch_;
  stop_latch worker_latch_;  // prefork: a worker's; nobody waits for it in the supervisor
  stop_latch* latch_ = &own_latch_;
  std::array<std::atomic<clock::rep>, 5> last_logged_{};

  // The thread that called serve().
  struct child {
    int pid;
    int fd = -1;  // its pidfd
  };
  std::vector<child> children_;
};

}  // namespace iolite

// The connections a server has, whatever thread runs them: how many, and how to end them.
#pragma once
#include "iolite/event.hpp"
#include "iolite/scope.hpp"
#include "iolite/serve.hpp"
#include "iolite/stream.hpp"
#include "kernel/kernel.hpp"
#include "serve/lingering.hpp"
#include "serve/signals.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace iolite {

class connection_table final : private detail::stream_home {
 public:
  // One of the places that `most` allows, from before a connection is handled to its end.
  class place {
   public:
    place() noexcept = default;  // none
    place(place&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    place& operator=(place&& other) noexcept {
      std::swap(of_, other.of_);
      return *this;
    }
    ~place() {
      if (of_) of_->went();
    }
    explicit operator bool() const noexcept { return of_ != nullptr; }
    // Taken on: whoever ends the connection calls went(), or makes it a place again by held().
    void hand_over() noexcept { of_ = nullptr; }

   private:
    friend class connection_table;
    explicit place(connection_table& of) noexcept : of_(&of) {}
    connection_table* of_ = nullptr;
  };

  // A connection with a thread or a process of its own, from accept until its handler has ended and
  // its stream is closed. It learns of both: a number that is used again is never shut down.
  class entry final : private detail::stream_owner {
   public:
    entry(connection_table& table, int fd) noexcept;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    // It begins.
    void enter(place at) noexcept;
    // Told by `s` from now on.
    void owns(stream& s) noexcept;
    // The engine it runs on, or null once that is to end; `alone`: nothing else runs there.
    void runs_on(engine* e, bool alone = false) noexcept;
    // What the stream needs until it is closed, where that may be after the handler's end.
    void needs(std::shared_ptr<engine> on, std::shared_ptr<const void> server) noexcept;
    // Closes the stream, wherever it is. On the thread of its engine.
    void close_stream() noexcept;

   private:
    friend class connection_table;
    ~entry();
    void forget_number() noexcept;
    void let_go(std::unique_lock<std::mutex>& hold) noexcept;

    connection_table& table_;
    std::shared_ptr<engine> engine_;  // see needs()
    std::shared_ptr<const void> server_;
    int fd_;  // -1 once it is closed
    engine* on_ = nullptr;
    bool alone_ = false;
    bool has_stream_ = false;
    bool has_handler_ = true;
    bool entered_ = false;
    entry* next_ = nullptr;
    entry* prev_ = nullptr;
  };
  // The handler of an entry has ended, or never began.
  struct handler_over {
    void operator()(entry* e) const noexcept;
  };
  using entry_of_handler = std::unique_ptr<entry, handler_over>;
  [[nodiscard]] entry_of_handler add(int fd) { return entry_of_handler(new entry(*this, fd)); }

  // `timeouts`: how many transfers their connection's limits have ended.
  connection_table(kernel& os, unsigned most, std::atomic<std::uint64_t>& timeouts)
      : os_(os), signals_(signal_meaning::of(os)), most_(most), timeouts_(timeouts), lingering_(os),
        changed_(lock_), emptied_(lock_), lingers_(lock_), settled_(lock_) {}

  // Each sees the end of its stream once what has arrived is read, so an idle handler ends.
  // Those of a loop are its own to drain and to cut.
  void drain() noexcept;
  [[nodiscard]] bool draining() const noexcept { return draining_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool ending() const noexcept override;
  // Nothing goes in or out any more, and what waits for anything else is cancelled.
  // The number of entries there were.
  unsigned cut() noexcept;  // 0 from the second call on

  // Closes a stream of this server. During a drain it ends politely: see lingering.hpp.
  void end(engine& on, int fd, bool tcp) noexcept;
  // Closes one that nobody has begun to serve, as politely.
  void turn_away(int fd, bool tcp) noexcept;
  // Ends those that linger, one after the other, until it is cancelled.
  task<void> let_linger();
  task<void> until_none_lingers();
  [[nodiscard]] auto none_lingers() noexcept {
    return detail::condition_wait(settled_, [this]() noexcept { return lingering_.empty(); });
  }

  // A place, or none: the table is full.
  [[nodiscard]] place admit() noexcept;
  // The place of a connection, after place::hand_over().
  [[nodiscard]] place held() noexcept { return place(*this); }
  // A connection that has no entry is over.
  void went() noexcept;
  // From now on `out` says how many there are that no cut() has counted.
  void publish(std::atomic<unsigned>& out) noexcept;
  // From now on `out` says how many there are.
  void count_in(std::atomic<unsigned>& out) noexcept;
  void timed_out() noexcept override { timeouts_.fetch_add(1, std::memory_order_relaxed); }

  [[nodiscard]] unsigned live() const noexcept;
  [[nodiscard]] bool full() const noexcept { return live() >= most_; }
  // After cut(): what has waited for its handler is not to begin.
  [[nodiscard]] bool was_cut() const noexcept;
  // co_await room(): until fewer than the most are open. Others may be quicker to take it.
  [[nodiscard]] auto room() noexcept {
    return detail::condition_wait(changed_, [this]() noexcept { return live_ < most_; });
  }
  [[nodiscard]] auto none_left() noexcept {
    return detail::condition_wait(emptied_,
                                  [this]() noexcept { return live_ == 0 && lingering_.empty(); });
  }
  // co_await one_ended(ended()): until one more has ended.
  [[nodiscard]] std::uint64_t ended() const noexcept;
  [[nodiscard]] auto one_ended(std::uint64_t since) noexcept {
    return detail::condition_wait(changed_, [this, since]() noexcept { return ended_ != since; });
  }

 private:
  void tell_live() noexcept;
  void one_less() noexcept;
  bool look_at_lingering() noexcept;
  void none_lingers_now() noexcept;
  void close(detail::stream_owner& s, engine& on, int fd, bool tcp) noexcept override;
  void released(detail::stream_owner& s) noexcept override;

  kernel& os_;
  signal_meaning& signals_;
  const unsigned most_;
  std::atomic<std::uint64_t>& timeouts_;
  mutable std::mutex lock_;
  entry* first_ = nullptr;
  unsigned live_ = 0;
  std::uint64_t ended_ = 0;
  std::atomic<bool> draining_ = false;  // written with the lock held
  bool cut_ = false;
  std::atomic<unsigned>* published_ = nullptr;
  std::atomic<unsigned>* now_ = nullptr;
  lingering lingering_;
  detail::wait_list changed_;  // woken by each connection that ends
  detail::wait_list emptied_;  // woken when there is none left, and none lingers
  detail::wait_list lingers_;  // woken by each that lingers
  detail::wait_list settled_;  // woken when none lingers any more
};

// The connections that a loop runs. On its thread only, and outlived by none of them.
class loop_connections final : private child_keeper {
 public:
  // Receives the exceptions that escape handlers.
  using failure = std::function<void(const std::exception_ptr&)>;

  // `live` says how many they are, to any thread.
  loop_connections(engine& on, connection_table& table, std::atomic<int>& live, failure failed)
      : on_(on), table_(table), live_(live), failed_(std::move(failed)), handlers_(on, this) {}
  loop_connections(const loop_connections&) = delete;
  loop_connections& operator=(const loop_connections&) = delete;
  ~loop_connections() { close_kept(); }

  // Runs `handle`, which is given `s`, as one of them. Throws std::bad_alloc without memory to know
  // it by; whatever the handler throws is told.
  void start(const handler& handle, serving& server, stream s, connection_table::place at);

  // As the table's.
  void drain() noexcept;
  unsigned cut() noexcept;
  // Closes the streams that have outlived their handlers, wherever they are.
  void close_kept() noexcept;
  [[nodiscard]] scope& handlers() noexcept { return handlers_; }
  [[nodiscard]] engine& on() const noexcept { return on_; }

 private:
  struct connection;
  // Of the streams whose handlers run, and of those that have outlived theirs.
  struct home_of_streams final : detail::stream_home {
    home_of_streams(loop_connections& all, bool of_kept) noexcept : of(all), kept(of_kept) {}
    void close(detail::stream_owner& s, engine& on, int fd, bool tcp) noexcept override;
    void released(detail::stream_owner& s) noexcept override;
    [[nodiscard]] bool ending() const noexcept override { return of.table_.ending(); }
    void timed_out() noexcept override { of.table_.timed_out(); }
    loop_connections& of;
    const bool kept;
  };
  void threw(const std::exception_ptr& thrown) noexcept override { failed_(thrown); }
  void over(child_task& c) noexcept override;
  void forget_kept(connection& c) noexcept;
  void shut_down(int how) noexcept;

  engine& on_;
  connection_table& table_;
  std::atomic<int>& live_;
  const failure failed_;
  home_of_streams running_{*this, false};
  home_of_streams kept_{*this, true};
  child_task* first_kept_ = nullptr;  // records whose handlers have ended, but not their streams
  detail::bare_scope handlers_;
};

}  // namespace iolite

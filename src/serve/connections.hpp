// The connections a server has, whatever thread runs them: how many, and how to end them.
#pragma once
#include "iolite/event.hpp"
#include "iolite/scope.hpp"
#include "iolite/stream.hpp"
#include "kernel/kernel.hpp"

#include <atomic>
#include <exception>
#include <functional>
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

  // A connection with a thread or a process of its own, from accept to the end of its handler.
  // Told when its descriptor is closed, so that a number that was used again is never shut down.
  class entry final : private detail::stream_owner {
   public:
    // `fd` -1: somebody else's (a child process's), only counted here.
    entry(connection_table& table, int fd, place at) noexcept;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry();
    // Told by `s` from now on.
    void owns(stream& s) noexcept { s.set_owner(this); }
    // The engine it runs on, or null once that is to end; `alone`: nothing else runs there.
    void runs_on(engine* e, bool alone = false) noexcept;

   private:
    friend class connection_table;
    connection_table& table_;
    engine* on_ = nullptr;
    bool alone_ = false;
    entry* next_ = nullptr;
    entry* prev_ = nullptr;
  };

  connection_table(kernel& os, unsigned most) noexcept
      : os_(os), most_(most), changed_(lock_), emptied_(lock_) {}

  // Each sees the end of its stream once what has arrived is read: who waits for a request ends.
  // Those of a loop are its own to drain and to cut.
  void drain() noexcept;
  [[nodiscard]] bool draining() const noexcept { return draining_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool ending() const noexcept override;
  // Nothing goes in or out any more, and what waits for anything else is cancelled.
  // The number of entries there were.
  unsigned cut() noexcept;  // 0 from the second call on

  // A place, or none: the table is full.
  [[nodiscard]] place admit() noexcept;
  // The place of a connection, after place::hand_over().
  [[nodiscard]] place held() noexcept { return place(*this); }
  // A connection that has no entry is over.
  void went() noexcept;
  // From now on `out` says how many there are that no cut() has counted.
  void publish(std::atomic<unsigned>& out) noexcept;

  [[nodiscard]] unsigned live() const noexcept;
  [[nodiscard]] bool full() const noexcept { return live() >= most_; }
  // After cut(): what has waited for its handler is not to begin.
  [[nodiscard]] bool was_cut() const noexcept;
  // co_await room(): until fewer than the most are open. Others may be quicker to take it.
  [[nodiscard]] auto room() noexcept {
    return detail::condition_wait(changed_, [this]() noexcept { return live_ < most_; });
  }
  [[nodiscard]] auto none_left() noexcept {
    return detail::condition_wait(emptied_, [this]() noexcept { return live_ == 0; });
  }
  // co_await one_ended(ended()): until one more has ended.
  [[nodiscard]] std::uint64_t ended() const noexcept;
  [[nodiscard]] auto one_ended(std::uint64_t since) noexcept {
    return detail::condition_wait(changed_, [this, since]() noexcept { return ended_ != since; });
  }

 private:
  void tell_live() noexcept;
  void one_less() noexcept;
  void closing(detail::stream_owner& s) noexcept override;

  kernel& os_;
  const unsigned most_;
  mutable std::mutex lock_;
  entry* first_ = nullptr;
  unsigned live_ = 0;
  std::uint64_t ended_ = 0;
  std::atomic<bool> draining_ = false;  // written with the lock held
  bool cut_ = false;
  std::atomic<unsigned>* published_ = nullptr;
  detail::wait_list changed_;  // woken by each connection that ends
  detail::wait_list emptied_;  // woken by the last one
};

// The connections that a loop runs. On its thread only, and outlived by none of them.
class loop_connections final : private child_keeper, private detail::stream_home {
 public:
  // Who is told of what a handler has let out.
  using failure = std::function<void(const std::exception_ptr&)>;

  // `live` says how many they are, to any thread.
  loop_connections(engine& on, connection_table& table, std::atomic<int>& live, failure failed)
      : on_(on), table_(table), live_(live), failed_(std::move(failed)), handlers_(on, this) {}

  // Runs `handle`, which is given `s`, as one of them. Throws std::bad_alloc without memory to know
  // it by; whatever the handler throws is told.
  void start(const std::function<task<void>(stream)>& handle, stream s, connection_table::place at);

  // As the table's.
  void drain() noexcept;
  unsigned cut() noexcept;
  [[nodiscard]] scope& handlers() noexcept { return handlers_; }
  [[nodiscard]] engine& on() const noexcept { return on_; }

 private:
  struct connection;
  void threw(const std::exception_ptr& thrown) noexcept override { failed_(thrown); }
  void over(child_task& c) noexcept override;
  void closing(detail::stream_owner& s) noexcept override { s.fd = -1; }
  [[nodiscard]] bool ending() const noexcept override;
  void shut_down(int how) noexcept;

  engine& on_;
  connection_table& table_;
  std::atomic<int>& live_;
  const failure failed_;
  detail::bare_scope handlers_;
};

}  // namespace iolite

// The connections a server has, whatever thread runs them: how many, and how to end them.
#pragma once
#include "iolite/event.hpp"
#include "iolite/stream.hpp"
#include "kernel/kernel.hpp"

#include <atomic>
#include <mutex>

namespace iolite {

class connection_table {
 public:
  // A connection, from accept to the end of its handler. Told when its descriptor is closed, so
  // that a number that was used again is never shut down.
  class entry final : public detail::stream_owner {
   public:
    // `fd` -1: somebody else's (a child process's), only counted here.
    entry(connection_table& table, int fd) noexcept;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry();
    void closing(int fd) noexcept override;
    [[nodiscard]] bool ending() const noexcept override;
    // The engine it runs on, or null once that is to end; `alone`: nothing else runs there.
    void runs_on(engine* e, bool alone = false) noexcept;

   private:
    friend class connection_table;
    void end(int how, engine* owner) const noexcept;  // shutdown(2); with the lock held
    connection_table& table_;
    int fd_;
    engine* on_ = nullptr;
    bool alone_ = false;
    entry* next_ = nullptr;
    entry* prev_ = nullptr;
  };

  connection_table(kernel& os, unsigned most) noexcept
      : os_(os), most_(most), changed_(lock_), emptied_(lock_) {}

  // Each sees the end of its stream once what has arrived is read: who waits for a request ends.
  void drain() noexcept;
  // Nothing goes in or out any more, and what waits for anything else is cancelled.
  // The number of connections there were.
  unsigned cut() noexcept;  // 0 from the second call on

  [[nodiscard]] bool full() const noexcept;
  // co_await room(): until fewer than the most are open.
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
  kernel& os_;
  const unsigned most_;
  mutable std::mutex lock_;
  entry* first_ = nullptr;
  unsigned live_ = 0;
  std::uint64_t ended_ = 0;
  std::atomic<bool> draining_ = false;  // written with the lock held
  bool cut_ = false;
  detail::wait_list changed_;  // woken by each connection that ends
  detail::wait_list emptied_;  // woken by the last one
};

}  // namespace iolite

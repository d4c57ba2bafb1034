// Bounds how many tasks do something at a time, on any engines and threads.
//
//   iolite::semaphore connections(10);
//   auto permit = co_await connections.acquire();  // result<semaphore::permit>
//   if (!permit) co_return;                        // cancelled, or timed out by `| within(...)`
//   ...                                            // it goes back when it is destroyed
//
// First come, first served: a permit that comes back goes to the task that waits longest, and no
// other one can take it. A cancelled acquire() has no permit. A task that waits suspends on an
// event loop and blocks its thread on a blocking engine. Any thread, also to give a permit back.
#pragma once
#include "iolite/event.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

namespace iolite {

class semaphore {
 public:
  class permit;
  class acquire_operation;

  explicit semaphore(std::size_t permits) noexcept
      : free_(permits), all_(permits), waiting_(lock_) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  // Stops the program while permits are out or tasks wait.
  ~semaphore();

  // co_await: result<permit>.
  [[nodiscard]] acquire_operation acquire() noexcept;
  // An empty one: none is free.
  [[nodiscard]] permit try_acquire() noexcept;
  // From now on there are so many more.
  void add(std::size_t permits) noexcept;
  [[nodiscard]] std::size_t available() const noexcept;

 private:
  void give_back() noexcept;
  void free_one() noexcept;

  mutable std::mutex lock_;
  std::size_t free_;  // nobody waits then
  std::size_t all_;
  detail::wait_list waiting_;
};

// The right to go on, given back at its end. Move-only.
class [[nodiscard]] semaphore::permit {
 public:
  permit() noexcept = default;
  permit(permit&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  permit& operator=(permit&& other) noexcept {
    if (this != &other) {
      release();
      of_ = std::exchange(other.of_, nullptr);
    }
    return *this;
  }
  ~permit() { release(); }

  // Whether it is one.
  [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }
  // Early; it is empty then.
  void release() noexcept {
    if (auto* const of = std::exchange(of_, nullptr)) of->give_back();
  }

 private:
  friend class semaphore;
  explicit permit(semaphore& of) noexcept : of_(&of) {}
  semaphore* of_ = nullptr;
};

// co_await: result<permit>. semaphore::acquire() makes it.
class semaphore::acquire_operation : public detail::listed_operation {
 public:
  explicit acquire_operation(semaphore& of) noexcept : of_(of) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return acquire(h, h.promise().ctx());
  }
  result<permit> await_resume() noexcept;

 private:
  bool acquire(std::coroutine_handle<> h, const context& c) noexcept;
  semaphore& of_;
};

inline semaphore::acquire_operation semaphore::acquire() noexcept {
  return acquire_operation(*this);
}

}  // namespace iolite

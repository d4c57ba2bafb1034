// The wish to stop, latched: asked for from any thread or a signal handler, awaited by one task.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/serve.hpp"
#include "iolite/task.hpp"
#include "kernel/kernel.hpp"

#include <atomic>
#include <cstdint>

namespace iolite {

// A request() that has taken the waiting operation still uses its engine after the operation is
// over: it wakes the engine. So the wait returns only when no request() is under way, and whoever
// waited may destroy the engine at once. The wait is a futex(2), which a signal handler can end.
class stop_latch final : public event_source {
 public:
  void request() noexcept {
    std::atomic_ref(requests_).fetch_add(1);
    asked_.store(true);
    if (operation* op = waiting_.exchange(nullptr)) op->on->post_later(*op, 0);
    end_request();
  }
  [[nodiscard]] bool asked() const noexcept { return asked_.load(); }
  bool forget(operation& op) noexcept override {
    operation* expected = &op;
    return waiting_.compare_exchange_strong(expected, nullptr);
  }

  // Returns when a stop was asked for, or its scope is cancelled.
  class wait_operation : public awaitable_operation {
   public:
    explicit wait_operation(stop_latch& l) noexcept : latch_(l) {
      kind = op_kind::event;
      payload = static_cast<event_source*>(&l);
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
      return wait(h, h.promise().ctx());
    }
    void await_resume() noexcept {
      static_cast<void>(end());
      if (os_) latch_.await_requests(*os_);
    }

   private:
    bool wait(std::coroutine_handle<> h, const context& c) noexcept {
      os_ = &c.on->os();
      if (!begin(h, c)) return false;
      if (!waits()) return true;
      latch_.waiting_.store(this);
      if (latch_.asked()) latch_.request();  // it came before anybody waited
      return true;
    }
    stop_latch& latch_;
    kernel* os_ = nullptr;
  };
  [[nodiscard]] wait_operation wait() noexcept { return wait_operation(*this); }

 private:
  static constexpr std::uint32_t awaited = 1U << 31;  // in requests_: its end is waited for

  // Once the number is lower the latch may be gone: then only its address is used.
  void end_request() noexcept {
    std::atomic_ref requests(requests_);
    std::uint32_t* const word = &requests_;
    kernel* os = nullptr;
    std::uint32_t n = requests.load();
    do os = (n & awaited) != 0 ? os_.load() : nullptr;
    while (!requests.compare_exchange_weak(n, n - 1));
    if (os) os->futex_wake(word, 1);
  }
  void await_requests(kernel& os) noexcept {
    std::atomic_ref requests(requests_);
    if (requests.load() == 0) return;
    os_.store(&os);
    std::uint32_t n = requests.fetch_or(awaited) | awaited;
    for (; n != awaited; n = requests.load()) os.futex_wait(&requests_, n, nullptr);
    requests.fetch_and(~awaited);
  }

  std::atomic<bool> asked_ = false;
  std::atomic<operation*> waiting_ = nullptr;
  std::atomic<kernel*> os_ = nullptr;  // that of the waiter; outlives every request()
  std::uint32_t requests_ = 0;  // under way: the word of the futex
};

struct serve_stop::state {
  stop_latch latch;
};

}  // namespace iolite

// The wish to stop, latched: asked for from any thread or a signal handler, awaited by one task.
#pragma once
#include "iolite/engine.hpp"
#include "iolite/serve.hpp"
#include "iolite/task.hpp"

#include <atomic>

namespace iolite {

class stop_latch final : public event_source {
 public:
  void request() noexcept {
    asked_.store(true);
    if (operation* op = waiting_.exchange(nullptr)) op->on->post_later(*op, 0);
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
      data = reinterpret_cast<std::byte*>(static_cast<event_source*>(&l));
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
      return wait(h, h.promise().ctx());
    }
    void await_resume() noexcept { static_cast<void>(end()); }

   private:
    bool wait(std::coroutine_handle<> h, const context& c) noexcept {
      if (!begin(h, c)) return false;
      latch_.waiting_.store(this);
      if (latch_.asked()) latch_.request();  // it came before anybody waited
      return true;
    }
    stop_latch& latch_;
  };
  [[nodiscard]] wait_operation wait() noexcept { return wait_operation(*this); }

 private:
  std::atomic<bool> asked_ = false;
  std::atomic<operation*> waiting_ = nullptr;
};

struct serve_stop::state {
  stop_latch latch;
};

}  // namespace iolite

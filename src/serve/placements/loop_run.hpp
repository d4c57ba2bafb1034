// A run of a loop that the caller can leave behind: all that its tasks use is here.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/scope.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace iolite {

struct loop_run {
  loop_run(std::shared_ptr<const void> server, std::unique_ptr<engine> e) noexcept
      : of(std::move(server)), on(std::move(e)) {}

  // Runs `body`, and rethrows what that throws. Tasks that nothing can end are left behind, when
  // engine::leave_tasks() says so.
  static void to_end(std::unique_ptr<loop_run> run, task<void> body) {
    run->on->set_root(&run->root);
    run->root.spawn(keep(std::move(body), run->thrown));
    run->on->run();
    run->on->set_root(nullptr);
    if (run->root.live() > 0) return leave_behind(std::move(run));
    if (run->thrown) std::rethrow_exception(run->thrown);
  }

  std::shared_ptr<const void> of;
  std::unique_ptr<engine> on;
  detail::bare_scope root{*on};
  std::exception_ptr thrown;
  loop_run* next = nullptr;

 private:
  static task<void> keep(task<void> inner, std::exception_ptr& out) {
    try {
      co_await inner;
    } catch (...) {
      out = std::current_exception();
    }
  }
  // Kept as long as the program runs, where a leak checker finds them.
  static void leave_behind(std::unique_ptr<loop_run> run) noexcept {
    static std::atomic<loop_run*> all = nullptr;
    run->next = all.load();
    while (!all.compare_exchange_weak(run->next, run.get())) {
    }
    static_cast<void>(run.release());
  }
};

}  // namespace iolite

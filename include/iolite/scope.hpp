// A scope owns the tasks it starts: none outlives it (structured concurrency).
//
//   iolite::scope children;
//   children.spawn(reader(s));
//   children.spawn(writer(s));
//   co_await children.join();   // both have ended; rethrows what the first of them threw
//
// On event-loop engines the children take turns on this thread. On a blocking engine, where a task
// that waits holds its thread, each child gets a thread and an engine of its own: children that
// share anything but channels, events, what they lock themselves and the two directions of a stream
// work on no such model.
//
// Cancelling the task that waits in join() cancels the children and waits on until they have ended.
#pragma once
#include "iolite/engine.hpp"
#include "iolite/task.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace iolite {

class scope : private event_source {
 public:
  // On the engine that runs on this thread.
  scope();
  explicit scope(engine& e) noexcept;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;
  // Stops the program if children are left: co_await join() first. Only an exception on its way may
  // leave children that are threads: they are cancelled and waited for.
  ~scope();

  // Starts `child` now; it runs until it first waits. Throws std::bad_alloc without memory for it,
  // std::system_error where it needs a thread and there is none to be had; the child is gone then,
  // and the others run on: catch it where there are any.
  void spawn(task<void> child);
  // Every operation of every child ends early: with std::errc::operation_canceled, or with what it
  // had done by then. Later ones end at once. Idempotent.
  void cancel() noexcept;
  // Returns when no child is left, then rethrows the first exception a child let out. Needs no
  // memory while there are children: spawn() has taken it.
  [[nodiscard]] task<void> join();

  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  [[nodiscard]] int live() const noexcept;
  // Whether something was spawned since the last join().
  [[nodiscard]] bool to_be_joined() const noexcept { return joining_.has_value(); }
  // The operations in flight here, for reports: the front of a list through operation::scope_next.
  [[nodiscard]] const operation* in_flight() const noexcept { return operations_.front(); }
  // The next one on the same engine: see engine::first_scope().
  [[nodiscard]] const scope* next_scope() const noexcept { return next_; }

 private:
  friend class engine;
  friend class awaitable_operation;
  struct child_thread;
  struct runner;
  class join_wait;

  task<void> wait_for_all();
  void start_here(task<void> child);  // on this thread, whatever the engine
  void start_thread(task<void> child);
  void child_ended(std::exception_ptr thrown) noexcept;
  void enter(operation& op) noexcept;
  void leave(operation& op) noexcept { operations_.remove(op); }
  bool forget(operation& op) noexcept override;
  void rethrow();
  void join_threads() noexcept;

  engine& on_;
  std::optional<task<void>> joining_;  // what the next join() gives
  scope_list operations_;
  bool cancelled_ = false;
  scope* next_ = nullptr;  // of the engine's
  scope* prev_ = nullptr;

  // Guarded by lock_: children may be threads.
  mutable std::mutex lock_;
  int live_ = 0;
  operation* joiner_ = nullptr;
  std::exception_ptr thrown_;
  std::vector<std::unique_ptr<child_thread>> threads_;
};

template <class T>
T engine::run(task<T> t) {
  scope root(*this);
  struct rooted {
    engine& on;
    ~rooted() { on.set_root(nullptr); }
  };
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  struct body {
    static task<void> keep(task<T> inner, decltype(value)& out) {
      if constexpr (std::is_void_v<T>) co_await inner;
      else out.emplace(co_await inner);
    }
  };
  {
    set_root(&root);
    const rooted until_its_end{*this};
    root.start_here(body::keep(std::move(t), value));
    run();
  }
  root.rethrow();
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): the task has ended without throwing
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

}  // namespace iolite

// A scope owns the tasks it starts: none outlives it (structured concurrency). Only in_scope()
// makes one: see nursery.hpp.
//
// On event-loop engines the children take turns on this thread. On a blocking engine, where a task
// that waits holds its thread, each child gets a thread and an engine of its own: children that
// share anything but channels, events, what they lock themselves and the two directions of a stream
// work on no such model.
//
// A scope is used on the thread of its engine. On a blocking engine its children may use it too.
#pragma once
#include "iolite/child.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/task.hpp"
#include "iolite/task_handle.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

class scope;

namespace detail {

class bare_scope;
class nursery;

}  // namespace detail

class scope : private event_source, private detail::scope_state {
 public:
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  // Starts `t` now; it runs until it first waits. The handle, which may be dropped, is for its
  // value, to cancel it alone, and to see whether it is done. Throws std::bad_alloc without memory
  // for it, std::system_error where it needs a thread and there is none to be had; the child is
  // gone then, and the others run on.
  template <class T>
  task_handle<T> spawn(task<T> t);
  // Starts what `f()` gives, and keeps `f` until that has ended: a lambda with captures.
  template <std::invocable F>
    requires detail::is_task<std::invoke_result_t<F&>>
  auto spawn(F f) {
    return spawn(detail::run_kept(std::move(f)));
  }
  // The same for a keeper's child, on this thread. If it throws, `record` is not taken.
  void start(task<void> t, child_task& record);
  // Every operation of every child ends early: with std::errc::operation_canceled, or with what it
  // had done by then. Later ones end at once. Idempotent.
  void cancel() noexcept;
  // Returns when no child is left, then rethrows the first exception a child let out. The others
  // run on unless they are cancelled. Needs no memory while there are children: spawn() has taken
  // it. Cancelling the task that waits here cancels the children, and it waits on until they have
  // ended. In the body of in_scope(): for those spawned so far.
  [[nodiscard]] task<void> join();

  [[nodiscard]] bool cancelled() const noexcept;
  [[nodiscard]] int live() const noexcept;
  // Whether something was spawned since the last join().
  [[nodiscard]] bool to_be_joined() const noexcept { return joining_.has_value(); }
  // Its children on this thread, for reports: the front of a list through child_task::next.
  [[nodiscard]] const child_task* first_child() const noexcept { return children_; }
  // The next one on the same engine: see engine::first_scope().
  [[nodiscard]] const scope* next_scope() const noexcept { return next_; }

 protected:
  // On the engine that runs on this thread.
  scope();
  // `keeper`: of all its children, which start() gets then, and spawn() does not.
  explicit scope(engine& e, child_keeper* keeper = nullptr) noexcept;
  // Stops the program if children are left.
  ~scope();
  // Before the first child.
  void set(on_failure what) noexcept { on_failure_ = what; }

 private:
  friend class engine;
  friend class detail::nursery;
  friend struct child_task;
  friend struct detail::child_record;
  friend class detail::child_wait;
  friend void detail::child_threw(child_task&, std::exception_ptr) noexcept;
  friend void detail::end_child(std::coroutine_handle<>, child_task&) noexcept;
  friend void detail::drop_handle(detail::child_record&) noexcept;
  friend void detail::cancel_child(detail::child_record&) noexcept;
  friend void detail::child_failed(scope&) noexcept;
  struct child_thread;
  class join_wait;

  // The scope of a child.
  [[nodiscard]] static scope& of(const child_task& c) noexcept;
  task<void> wait_for_all();
  void prepare_join();
  // Starts the child of `record`, for a handle to hold.
  detail::child_record& spawn_held(task<void> t, std::unique_ptr<detail::child_record> record);
  void start_here(task<void> t, child_task& record) noexcept;  // whatever the engine
  void start_thread(task<void> t, std::unique_ptr<detail::child_record> record);
  void run_thread(child_thread& c, task<void> t) noexcept;
  static void record_ended(std::unique_ptr<detail::child_record> record) noexcept;
  void child_threw(std::exception_ptr thrown) noexcept;
  void child_ended() noexcept;
  bool forget(operation& op) noexcept override;
  void rethrow();
  void end_threads() noexcept;
  void join_last_ended() noexcept;
  static void join_thread(child_thread* c) noexcept;

  [[nodiscard]] std::unique_lock<std::mutex> guard() const noexcept;

  child_keeper* const keeper_;  // null: the records are its own
  const bool threaded_;  // its children are threads
  on_failure on_failure_ = on_failure::go_on;
  std::optional<task<void>> joining_;  // what the next join() gives
  child_task* children_ = nullptr;  // those on this thread, in the order they were started
  child_task* last_child_ = nullptr;
  scope* next_ = nullptr;  // of the engine's
  scope* prev_ = nullptr;

  // Guarded by lock_ where children are threads: see guard().
  mutable std::mutex lock_;
  int live_ = 0;
  operation* joiner_ = nullptr;
  std::exception_ptr thrown_;
  child_thread* threads_ = nullptr;  // those that run
  child_thread* last_ended_ = nullptr;  // to be joined: by the next that ends or starts, or join()
};

// For the library itself. Whoever makes one joins it on every path, also when something throws:
// that is what in_scope() is for. Only children that are threads may be left by an exception: they
// are cancelled and waited for.
class detail::bare_scope final : public scope {
 public:
  bare_scope() = default;
  explicit bare_scope(engine& e, child_keeper* keeper = nullptr) noexcept : scope(e, keeper) {}
};

inline child_task::child_task(scope& s) noexcept : of(&s) {}
inline detail::child_record::child_record(scope& s) noexcept
    : child_task(s), scope_state{s.on, &s} {
  of = this;
}

template <class T>
task_handle<T> scope::spawn(task<T> t) {
  t.check_fresh();
  using record_type =
      std::conditional_t<std::is_void_v<T>, detail::child_record, detail::child_record_of<T>>;
  auto record = std::make_unique<record_type>(*this);
  if constexpr (std::is_void_v<T>) {
    return task_handle<T>(spawn_held(std::move(t), std::move(record)));
  } else {
    auto whole = detail::keep_value(std::move(t), record->value, *this);
    return task_handle<T>(spawn_held(std::move(whole), std::move(record)));
  }
}

template <class T>
T engine::run(task<T> t) {
  detail::bare_scope root(*this);
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
    auto first = body::keep(std::move(t), value);
    root.start_here(std::move(first), *new detail::child_record(root));
    run();
  }
  root.rethrow();
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): the task has ended without throwing
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

}  // namespace iolite

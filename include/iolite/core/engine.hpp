// An engine takes operations and gives completions: one way of doing I/O behind one seam.
//
// Most programs never name one: serve() and run() make it. This is for those who drive a loop
// themselves, and for those who write an engine (docs/adding-a-backend.md).
//
// An engine belongs to the thread that first runs it and to the process that made it; it does not
// survive fork(2). Only the members under "any thread" may be called from elsewhere.
#pragma once
#include "iolite/core/engine_parts.hpp"
#include "iolite/core/engine_traits.hpp"
#include "iolite/core/operation.hpp"

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

namespace iolite {

class kernel;
class buffer_pool;
class deadlines;
class observer;
class scope;
class spin_policy;
template <class T>
class task;

class engine {
 public:
  enum class started : bool { pending, done };

  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  virtual ~engine();

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] virtual engine_traits traits() const noexcept = 0;

  // --- engine thread only ---

  // Begins `op`. `done`: it ended inline, op.outcome is valid, do not suspend.
  started start(operation& op) noexcept;
  // Ends `op`, which has nothing to wait for, with `result`: as a start that ended inline.
  started end_early(operation& op, int result) noexcept;
  // Resumes op.waiter in the next turn.
  void resume_later(operation& op) noexcept { ready_.push(op); }
  // Asks for an early end. `op` still completes exactly once, through the same path. Idempotent;
  // latched when it comes before start(), harmless after completion.
  void cancel(operation& op) noexcept;
  // From now on `fd`, whose operations are over or cancelled, is somebody else's: its number may be
  // closed and used again without our knowledge.
  void forget(int fd) noexcept;
  void close(int fd) noexcept;  // the same, and closes it
  // From now on nothing is taken from `fd` but what an operation asks for. False: something was
  // (engine_options::receiving); the next operations get it.
  [[nodiscard]] bool take_nothing_ahead(int fd) noexcept;
  // The same; how many bytes were. FIONREAD does not count them.
  [[nodiscard]] std::size_t arrived_ahead(int fd) noexcept;
  // Where an engine keeps descriptors of its own (engine_traits::own_descriptors), a stream's
  // number means something to that engine only, and to system calls it is EBADF. These two convert.
  // Takes over the ordinary `fd`: the number it goes by from now on. Or -errno: it is as it was.
  [[nodiscard]] int adopt(int fd) noexcept;
  // An ordinary one for the same file, for system calls: `fd` itself, or another one that the
  // caller closes, or -errno. See system_descriptor.hpp.
  [[nodiscard]] int expose(int fd) noexcept;
  // Runs until no task is left. Coroutines resume only from here, so stacks stay flat.
  void run() noexcept;
  // Runs `t` to its end and gives its value, or throws what it threw.
  template <class T>
  T run(task<T> t);
  // Gives up on tasks that hang: run() returns; the engine and all they use are kept for ever.
  void leave_tasks() noexcept { tasks_left_ = true; }

  // Lets a request_cancel() from elsewhere take effect now: for code that works outside of start().
  void take_cancel() noexcept {
    if (cancel_asked_.load(std::memory_order_relaxed)) apply_cancel();
  }
  void check_thread() noexcept;  // stops the program on another thread than the engine's
  void task_started() noexcept { ++tasks_; }
  void task_ended() noexcept { --tasks_; }
  [[nodiscard]] kernel& os() const noexcept { return os_; }
  [[nodiscard]] clock::time_point now() const noexcept;
  [[nodiscard]] const engine_stats& stats() const noexcept { return stats_; }
  [[nodiscard]] bool runs_elsewhere() const noexcept;  // on another thread, now
  [[nodiscard]] bool is_parents() const noexcept;  // this is a child of fork(2), it was made before
  // The pool of recv_lease(), made when first asked for; null: no memory for it.
  [[nodiscard]] buffer_pool* buffers() noexcept;
  // Before that: how large it may grow, in bytes (engine_options::lease_memory).
  void limit_leases(std::size_t bytes) noexcept { lease_memory_ = bytes; }
  // It asks again for `length` before it sleeps, as long as that pays; zero: never. Not for engines
  // whose operations hold their thread. See engine_options::spin.
  void spin_before_sleeping(clock::duration length);
  void observe(observer* o) noexcept { observer_ = o; }  // null: nobody. See observer.hpp
  void set_root(scope* s) noexcept;  // what request_cancel() reaches: run(task) sets it
  [[nodiscard]] const scope* first_scope() const noexcept { return scopes_; }  // of a list
  // For a child task: null where tasks share this thread, else an engine for a thread of its own.
  [[nodiscard]] std::unique_ptr<engine> for_child_thread();

  // The engine that runs on this thread, or null.
  [[nodiscard]] static engine* current() noexcept;

  // --- any thread ---

  // Completes an `event` operation with `result`. For whoever took it off its event_source.
  void post(operation& op, int result) noexcept;
  // The same, never at once: also from a signal handler, which may have interrupted the loop.
  void post_later(operation& op, int result) noexcept;
  void wake() noexcept;  // ends a wait of this engine early; coalesced
  // scope::cancel() of the root scope, soon; without one, of the next run(task)'s.
  void request_cancel() noexcept;

 protected:
  explicit engine(kernel& os, engine_parts parts = {});

  // A backend reports here, once for each start it answered `pending`.
  void finish(operation& op, int result) noexcept;
  [[nodiscard]] bool woken() const noexcept { return woken_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_to_end(const operation& op) noexcept;  // whether `op`, which runs, is
  // The facility's wake-up is used up: the next wake() signals again. Then look at what it was for.
  void wake_taken() noexcept { woken_.exchange(false, std::memory_order_acq_rel); }
  [[nodiscard]] bool running() const noexcept { return running_.load(std::memory_order_relaxed); }
  [[nodiscard]] clock::time_point next_deadline() const noexcept;
  // How long until then, for a wait: zero when it has passed, clock::duration::max() for `never`.
  [[nodiscard]] clock::duration time_until(clock::time_point t) const noexcept;
  void expire() noexcept;  // lets those deadlines take effect that have passed
  void continue_later(operation& op) noexcept;  // starts a pending one again in the next turn
  // The streams of `child`, an engine for a child task, belong to this one: they may outlive it.
  void take_streams_of(engine& child) noexcept { child.of_streams_ = of_streams_; }
  void shut_down() noexcept;  // no more operations: for the destructors of backends

  engine_stats stats_;
  std::size_t lease_memory_ = std::size_t{64} * 1024 * 1024;
  // How many operations may end inline in a row before the others get a turn; accepts count apart.
  int inline_budget_ = 32;
  // What a wait has found is not handled whole yet: no deadline is over before it is.
  bool found_more_ = false;

 private:
  friend class scope;
  friend class buffer_pool;
  friend class stream;
  // What a backend implements; the rest are parts that it may have: engine_parts.hpp. None of them
  // resumes a coroutine.
  virtual started do_start(operation& op) noexcept = 0;  // `done`: op.outcome is set
  virtual void do_cancel(operation& op) noexcept = 0;
  // Collects completions; returns at `until` at the latest, at once when that has passed, and when
  // do_wake() was called.
  virtual void do_wait(clock::time_point until) noexcept = 0;
  virtual void do_wake() noexcept = 0;  // any thread, and from a signal handler

  void turn() noexcept;
  void ask(clock::time_point until) noexcept;
  void wait(clock::time_point until) noexcept;
  bool spin(clock::time_point until) noexcept;
  [[nodiscard]] bool busy() const noexcept { return !ready_.empty() || !continuing_.empty(); }
  void check_owner() noexcept;
  void claim() noexcept;
  void resume_ready() noexcept;
  void new_budget() noexcept;
  started end_inline(operation& op, int cost) noexcept;
  void start_continuing() noexcept;
  void take_posted() noexcept;
  void apply_cancel() noexcept;
  bool over(operation& op, int result) noexcept;
  void move_deadline_on(operation& op) noexcept;
  void complete(operation& op) noexcept;
  bool starves(operation& op, int result) noexcept;
  void buffer_returned() noexcept;
  bool drive(operation& op, int& turns) noexcept;

  kernel& os_;
  const engine_parts parts_;
  unsigned process_ = 0;  // which side of a fork made it
  engine* of_streams_ = this;  // whose the streams are that are made here
  std::atomic<const void*> thread_ = nullptr;  // whose it is, since it first ran

  // Engine thread only.
  observer* observer_ = nullptr;
  scope* root_ = nullptr;
  scope* scopes_ = nullptr;
  std::unique_ptr<deadlines> deadlines_;
  std::unique_ptr<buffer_pool> buffers_;  // made when first asked for
  std::unique_ptr<spin_policy> spin_;  // null: it sleeps at once
  operation_queue ready_;  // done, their coroutines to be resumed
  operation_queue starved_;  // receives that wait for a buffer
  operation_queue continuing_;  // part done, out of budget: start again next turn
  int tasks_ = 0, inline_left_ = 0, accepts_left_ = 0;
  std::uint16_t tag_ = 0;
  bool tasks_left_ = false, root_was_cut_ = false;

  // Any thread.
  std::atomic<operation*> posted_ = nullptr;  // a stack, newest first
  std::atomic<bool> running_ = false, woken_ = false, cancel_asked_ = false;
  std::atomic<int> streams_ = 0;  // that are open
};

}  // namespace iolite

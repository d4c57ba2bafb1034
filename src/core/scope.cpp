// See scope.hpp. Children on this thread are coroutines; on a blocking engine they are threads, so
// what children share with the scope is behind its lock.
#include "iolite/scope.hpp"

#include "core/assert.hpp"
#include "kernel/thread.hpp"

namespace iolite {

// A child with a thread and an engine of its own.
struct scope::child_thread {
  std::unique_ptr<engine> on;
  os_thread thread;
};

// The coroutine around a child: nobody awaits it; it is started once and destroys itself.
struct scope::runner {
  struct promise_type : detail::promise_base {
    promise_type(scope& s, task<void>&) noexcept { ctx = {&s.on_, &s}; }
    runner get_return_object() noexcept {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
  };
  static runner run(scope& s, task<void> child) {
    std::exception_ptr thrown;
    try {
      task<void> own = std::move(child);  // its frame is gone before join() returns
      co_await own;
    } catch (...) {
      thrown = std::current_exception();
    }
    s.on_.task_ended();
    s.child_ended(std::move(thrown));
  }

  std::coroutine_handle<promise_type> frame;
};

class scope::join_wait : public awaitable_operation {
 public:
  join_wait(scope& s, bool shielded) noexcept : scope_(s), shielded_(shielded) {
    kind = op_kind::event;
    data = reinterpret_cast<std::byte*>(static_cast<event_source*>(&s));
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    context c = h.promise().ctx;
    if (shielded_) c.in = nullptr;  // its own scope is cancelled already: wait nevertheless
    const std::lock_guard hold(scope_.lock_);
    if (scope_.live_ == 0 || !begin(h, c)) return false;
    IOLITE_ASSERT(!scope_.joiner_, "one task joins a scope");
    scope_.joiner_ = this;
    return true;
  }
  bool await_resume() noexcept { return end() >= 0; }

 private:
  scope& scope_;
  bool shielded_;
};

namespace {

engine& engine_here() noexcept {
  engine* e = engine::current();
  IOLITE_ASSERT(e, "a scope is made inside a task, or names its engine");
  return *e;
}

}  // namespace

scope::scope() : scope(engine_here()) {}

scope::scope(engine& e) noexcept : on_(e), next_(e.scopes_) {
  if (next_) next_->prev_ = this;
  e.scopes_ = this;
}

scope::~scope() {
  if (!threads_.empty() &&
      std::uncaught_exceptions() > 0) {  // spawn() found no thread, for instance
    cancel();
    join_threads();
  }
  IOLITE_ASSERT(live_ == 0, "a scope is joined before it ends: co_await join()");
  (prev_ ? prev_->next_ : on_.scopes_) = next_;
  if (next_) next_->prev_ = prev_;
}

void scope::spawn(task<void> child) {
  if (!joining_) joining_.emplace(wait_for_all());
  if (on_.traits().blocking) start_thread(std::move(child));
  else start_here(std::move(child));
}

void scope::start_here(task<void> child) {
  const runner around = runner::run(*this, std::move(child));  // may throw, so before it counts
  {
    const std::lock_guard hold(lock_);
    ++live_;
  }
  on_.task_started();
  const engine::running_here here(on_);  // the first task starts before the loop does
  around.frame.resume();
}

void scope::start_thread(task<void> child) {
  auto record = std::make_unique<child_thread>();
  record->on = on_.for_child_thread();
  engine& on = *record->on;
  if (cancelled_) on.request_cancel();
  const std::lock_guard hold(lock_);
  threads_.reserve(threads_.size() + 1);
  record->thread = os_thread(on_.os(), [this, &on, own = std::move(child)]() mutable {
    std::exception_ptr thrown;
    try {
      on.run(std::move(own));
    } catch (...) {
      thrown = std::current_exception();
    }
    child_ended(std::move(thrown));
  });
  ++live_;
  threads_.push_back(std::move(record));
}

void scope::child_ended(std::exception_ptr thrown) noexcept {
  operation* joiner = nullptr;
  {
    const std::lock_guard hold(lock_);
    if (thrown && !thrown_) thrown_ = std::move(thrown);
    if (--live_ == 0) joiner = std::exchange(joiner_, nullptr);
  }
  if (joiner) joiner->on->post(*joiner, 0);
}

void scope::cancel() noexcept {
  cancelled_ = true;
  for (operation* op = operations_.front(); op;) {
    operation* const next = op->scope_next;
    on_.cancel(*op);
    op = next;
  }
  const std::lock_guard hold(lock_);
  for (const auto& child : threads_) child->on->request_cancel();
}

task<void> scope::join() {
  if (!joining_) return wait_for_all();
  task<void> whole = std::move(*joining_);
  joining_.reset();
  return whole;
}

task<void> scope::wait_for_all() {
  for (bool shielded = false; live() > 0;) {
    join_wait all(*this, shielded);
    if (co_await all) continue;
    cancel();
    shielded = true;
  }
  join_threads();
  rethrow();
}

int scope::live() const noexcept {
  const std::lock_guard hold(lock_);
  return live_;
}

void scope::enter(operation& op) noexcept {
  operations_.push(op);
  if (cancelled_) op.cancel_requested = true;
}

bool scope::forget(operation& op) noexcept {
  const std::lock_guard hold(lock_);
  if (joiner_ != &op) return false;
  joiner_ = nullptr;
  return true;
}

void scope::rethrow() {
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void scope::join_threads() noexcept {
  for (const auto& child : threads_) child->thread.join();
  threads_.clear();
}

}  // namespace iolite

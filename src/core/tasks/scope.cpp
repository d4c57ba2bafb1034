// See scope.hpp. Children on this thread are coroutines; on a blocking engine they are threads, so
// what children share with the scope is behind its lock.
#include "iolite/scope.hpp"

#include "base/assert.hpp"
#include "core/running_here.hpp"
#include "iolite/nursery.hpp"
#include "kernel/thread.hpp"

#include <cerrno>

namespace iolite {

// A child with a thread and an engine of its own. When it ends it gives back its engine and joins
// the child that ended before it, and so does the next spawn(): however many children a scope
// starts, those that have ended do not pile up.
struct scope::child_thread {
  std::unique_ptr<detail::child_record> record;
  std::unique_ptr<engine> on;
  os_thread thread;
  child_thread* next = nullptr;
  child_thread* prev = nullptr;
};

void child_task::enter(operation& op) noexcept {
  IOLITE_ASSERT(!waits_in(), "a task waits in one operation at a time");
  if (&op == &own) own.state = op_state::done;  // until it starts
  else own.next = &op;
  if (of->cancel_asked) op.cancel_requested = true;
}

// What lies between `by` and the nearest shield inside of it hears of it now, the rest not at all.
void child_task::cancel_by(const detail::scope_state& by) noexcept {
  detail::scope_state* reached = of;
  for (detail::scope_state* s = of; s != &by; s = s->outer) {
    if (s->shields) reached = s->outer;
  }
  for (detail::scope_state* s = reached; s != &by; s = s->outer) s->cancel_asked = true;
  operation* const op = reached == of ? waits_in() : nullptr;
  if (op) of->on->cancel(*op);
}

void child_task::note_end(const operation& ended) noexcept {
  if (ended.outcome == -ECANCELED) note_cut();
}

void child_task::note_cut() noexcept {
  for (detail::scope_state* s = of; s; s = s->shields ? nullptr : s->outer) {
    if (s->cancel_asked) s->has_cut = true;
  }
}

class scope::join_wait : public awaitable_operation {
 public:
  join_wait(scope& s, bool shielded) noexcept : scope_(s), shielded_(shielded) {
    kind = op_kind::event;
    payload = static_cast<event_source*>(&s);
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    context c = h.promise().ctx();
    if (shielded_) c.in = nullptr;  // its own scope is cancelled already: wait nevertheless
    const auto hold = scope_.guard();
    if (scope_.live_ == 0 || !begin(h, c)) return false;
    if (!waits()) return true;
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

scope::scope(engine& e, child_keeper* keeper) noexcept
    : scope_state{&e}, keeper_(keeper), threaded_(e.traits().blocking), next_(e.scopes_) {
  if (next_) next_->prev_ = this;
  e.scopes_ = this;
}

scope::~scope() {
  if (threaded_ && std::uncaught_exceptions() > 0) end_threads();
  IOLITE_ASSERT(live_ == 0, "a scope is joined before it ends: co_await join()");
  join_last_ended();
  (prev_ ? prev_->next_ : on->scopes_) = next_;
  if (next_) next_->prev_ = prev_;
}

detail::child_record& scope::spawn_held(task<void> t,
                                        std::unique_ptr<detail::child_record> record) {
  prepare_join();
  detail::child_record& child = *record;
  child.held = true;
  if (threaded_) {
    start_thread(std::move(t), std::move(record));
  } else {
    child.cancel_asked = cancel_asked;
    start_here(std::move(t), *record.release());
  }
  return child;
}

scope& scope::of(const child_task& c) noexcept {
  detail::scope_state* s = c.of;
  while (s->outer) s = s->outer;
  return static_cast<scope&>(*s);
}

void scope::start(task<void> t, child_task& record) {
  t.check_fresh();
  prepare_join();
  start_here(std::move(t), record);
}

// join() needs no memory while there are children: it is taken before they are.
void scope::prepare_join() {
  const auto hold = guard();
  if (!joining_) joining_.emplace(wait_for_all());
}

void scope::start_here(task<void> t, child_task& record) noexcept {
  on->check_thread();
  record.prev = std::exchange(last_child_, &record);
  (record.prev ? record.prev->next : children_) = &record;
  {
    const auto hold = guard();
    ++live_;
  }
  on->task_started();
  const auto frame = std::exchange(t.frame_, {});  // ends by itself: see end_child()
  frame.promise().begin(record);
  const running_here here(*on);  // the first task starts before the loop does
  frame.resume();
}

void detail::child_threw(child_task& c, std::exception_ptr thrown) noexcept {
  scope& of = scope::of(c);
  if (of.keeper_) return of.keeper_->threw(thrown);
  static_cast<child_record&>(c).thrown = thrown;
  of.child_threw(std::move(thrown));
}

void detail::end_child(std::coroutine_handle<> frame, child_task& c) noexcept {
  frame.destroy();  // before join() returns
  scope& of = scope::of(c);
  (c.prev ? c.prev->next : of.children_) = c.next;
  (c.next ? c.next->prev : of.last_child_) = c.prev;
  if (of.keeper_) of.keeper_->over(c);
  else of.record_ended(std::unique_ptr<child_record>(static_cast<child_record*>(&c)));
  of.on->task_ended();
  of.child_ended();
}

// With the lock held. The record stays while there is a handle.
void scope::record_ended(std::unique_ptr<detail::child_record> record) noexcept {
  if (operation* const waits = std::exchange(record->waiter, nullptr)) waits->on->post(*waits, 0);
  if (!record->held) return;
  record.release()->ended.store(true, std::memory_order_release);  // a handle may destroy it now
}

void scope::start_thread(task<void> t, std::unique_ptr<detail::child_record> record) {
  join_last_ended();
  auto thread = std::make_unique<child_thread>();
  child_thread& c = *thread;
  c.on = on->for_child_thread();
  c.record = std::move(record);
  c.record->runs_on = c.on.get();
  const auto hold = guard();
  if (cancel_asked) c.on->request_cancel();
  c.thread = os_thread(on->os(), [this, &c, own = std::move(t)]() mutable noexcept {
    run_thread(c, std::move(own));
  });
  ++live_;
  c.next = std::exchange(threads_, thread.release());
  if (c.next) c.next->prev = &c;
}

// On the child's thread.
void scope::run_thread(child_thread& c, task<void> t) noexcept {
  try {
    c.on->run(std::move(t));
  } catch (...) {
    c.record->thrown = std::current_exception();
    child_threw(c.record->thrown);
  }
  std::unique_ptr<engine> unused;
  child_thread* before = nullptr;
  operation* joiner = nullptr;
  {
    const auto hold = guard();
    (c.prev ? c.prev->next : threads_) = c.next;
    if (c.next) c.next->prev = c.prev;
    unused = std::move(c.on);  // from now on no cancel() asks it
    c.record->has_cut = unused->root_was_cut_;
    record_ended(std::move(c.record));
    before = std::exchange(last_ended_, &c);
    if (--live_ == 0) joiner = std::exchange(joiner_, nullptr);
  }
  // Whoever waits for the children joins this thread too, so all of this has happened by then.
  unused.reset();
  if (joiner) joiner->on->post(*joiner, 0);
  join_thread(before);
}

void scope::join_last_ended() noexcept {
  child_thread* last = nullptr;
  {
    const auto hold = guard();
    last = std::exchange(last_ended_, nullptr);
  }
  join_thread(last);
}

void scope::join_thread(child_thread* c) noexcept {
  if (!c) return;
  if (c->thread.is_joinable()) c->thread.join();
  delete c;
}

// For callers that cannot suspend, for instance because spawn() found no thread.
void scope::end_threads() noexcept {
  cancel();
  for (;;) {
    os_thread one;
    {
      const auto hold = guard();
      if (!threads_) return;
      one = std::move(threads_->thread);
    }
    if (one.is_joinable()) one.join();
  }
}

void scope::child_threw(std::exception_ptr thrown) noexcept {
  {
    const auto hold = guard();
    if (!thrown_) thrown_ = std::move(thrown);
  }
  detail::child_failed(*this);
}

void detail::child_failed(scope& s) noexcept {
  if (s.on_failure_ == on_failure::cancel && !s.cancelled()) s.cancel();
}

void scope::child_ended() noexcept {
  operation* joiner = nullptr;
  {
    const auto hold = guard();
    if (--live_ == 0) joiner = std::exchange(joiner_, nullptr);
  }
  if (joiner) joiner->on->post(*joiner, 0);
}

void scope::cancel() noexcept {
  if (!threaded_) on->check_thread();
  {
    const auto hold = guard();
    cancel_asked = true;
    for (const child_thread* c = threads_; c; c = c->next) c->on->request_cancel();
  }
  for (child_task* c = children_; c; c = c->next) c->cancel_by(*this);
}

bool scope::cancelled() const noexcept {
  const auto hold = guard();
  return cancel_asked;
}

void detail::nursery::body_threw() noexcept {
  {
    const auto hold = guard();
    thrown_ = std::current_exception();
  }
  cancel();
}

task<void> scope::join() {
  prepare_join();
  const auto hold = guard();
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): prepare_join() has made it
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
  join_last_ended();
  rethrow();
}

std::unique_lock<std::mutex> scope::guard() const noexcept {
  std::unique_lock hold(lock_, std::defer_lock);
  if (threaded_) hold.lock();
  return hold;
}

int scope::live() const noexcept {
  const auto hold = guard();
  return live_;
}

bool scope::forget(operation& op) noexcept {
  const auto hold = guard();
  if (joiner_ != &op) return false;
  joiner_ = nullptr;
  return true;
}

void scope::rethrow() {
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

}  // namespace iolite

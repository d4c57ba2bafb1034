// See iolite/serving.hpp: what a server tells its handlers.
#include "iolite/serving.hpp"

#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "serve/server.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <utility>

namespace iolite {
namespace {

task<result<void>> wait_for(event& e) {
  auto set = e.wait();
  co_return co_await set;
}

}  // namespace

bool server::draining() const noexcept { return stopping_ || connections_.ending(); }

task<result<void>> server::drain_begins() {
  if (has_one_connection_) return signal_comes();
  return wait_for(drain_begins_);
}

// In the process of a connection no loop waits for the latch, and one task at a time may.
task<result<void>> server::signal_comes() {
  auto turn = waits_for_signal_.lock();
  const auto mine = co_await turn;
  if (!mine) co_return std::unexpected(mine.error());
  co_await own_latch_.wait();
  if (!own_latch_.asked()) co_return failure(-ECANCELED);
  co_return result<void>();
}

// --- counters ---

serve_report service::report() const noexcept {
  std::uint64_t live = 0;
  for (std::size_t i = 0; i < counting(); ++i) live += now(i);
  return {.connections = counts.connections,
          .handler_failures = counts.handler_failures,
          .accept_pauses = counts.accept_pauses,
          .children_restarted = counts.children_restarted,
          .connections_cancelled = counts.connections_cancelled,
          .connections_left = counts.connections_left,
          .connections_now = live,
          .connections_refused = counts.connections_refused,
          .transfers_timed_out = counts.transfers_timed_out};
}

serve_report server::report() const noexcept { return of_->report(); }

serve_meter::serve_meter() : state_(std::make_unique<state>()) {}
serve_meter::~serve_meter() = default;

serve_report serve_meter::read() const noexcept {
  const std::lock_guard hold(state_->lock);
  return state_->of ? state_->of->report() : state_->last;
}

server::metered::metered(const service& of) noexcept : meter_(of.options.meter) {
  if (!meter_) return;
  const std::lock_guard hold(meter_->state_->lock);
  meter_->state_->of = &of;
}

server::metered::~metered() {
  if (!meter_) return;
  serve_meter::state& s = *meter_->state_;
  const std::lock_guard hold(s.lock);
  s.last = s.of->report();
  s.of = nullptr;
}

// --- the drain ---

void server::begin_drain() noexcept {
  stopping_ = true;
  remove_socket_files();
  drain_begins_.set();
}

// --- tasks beside the connections ---

task<void> server::with_beside(task<void> body, loop_rank which) {
  const bool any = !options_.beside.empty() || options_.on_drain;
  return any ? run_with_beside(std::move(body), which) : std::move(body);
}

task<void> server::run_with_beside(task<void> body, loop_rank which) {
  detail::bare_scope tasks;
  task<void> end = end_beside(tasks);  // its memory
  std::exception_ptr failed;
  try {
    start_beside(tasks, which);
    co_await body;
  } catch (...) {
    failed = std::current_exception();
  }
  if (which.of_process) goodbye_is_said_.set();
  co_await end;
  if (failed) std::rethrow_exception(failed);
}

void server::start_beside(scope& tasks, loop_rank which) {
  for (const task_beside& t : options_.beside) {
    const bool here = t.per == once_per::loop || (t.per == once_per::process && which.of_process) ||
                      which.of_server;
    if (here) tasks.spawn(run_beside(t.run));
  }
  if (options_.on_drain && which.of_process) tasks.spawn(say_goodbye());
}

task<void> server::run_beside(const server_task& what) {
  ++beside_running_;
  try {
    task<void> running = what(*this);
    co_await running;
  } catch (...) {
    note_thrown(log_cause::hook, "a task beside the server failed");
  }
  --beside_running_;
}

// What the drain waits for may take its time: it is a task beside the connections like the others.
task<void> server::say_goodbye() {
  auto begins = drain_begins_.wait();
  if (const auto r = co_await begins; !r) co_return;
  task<void> saying = run_beside(options_.on_drain);
  co_await saying;
  goodbye_is_said_.set();
}

// Where a hanging one would keep serve() from returning it is left behind, after a while. A thread
// of a pool is left by those who wait for it, and a process is killed.
task<void> server::end_beside(scope& tasks) {
  const context c = co_await here{};
  tasks.cancel();
  const bool by_others = model_.placement == placement::prefork ||
                         (model_.placement == placement::pool && model_.engine != "blocking");
  detail::bare_scope timer;
  try {
    if (!by_others && tasks.live() > 0) timer.spawn(leave_after_grace());
  } catch (const std::bad_alloc&) {  // no memory to wait
    c.on->leave_tasks();
  }
  if (tasks.to_be_joined()) co_await tasks.join();
  timer.cancel();
  if (timer.to_be_joined()) co_await timer.join();
}

task<void> server::leave_after_grace() {
  const context c = co_await here{};
  auto grace_is_over = sleep(grace);
  if (!co_await grace_is_over) co_return;
  c.on->leave_tasks();
}

}  // namespace iolite

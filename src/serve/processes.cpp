// The placements over processes: process, prefork. See server.hpp.
//
// The supervisor is a loop over poll(2) with nothing inherited by accident: a child closes what is
// not its own, makes an engine of its own and never returns. Ends of children are read from their
// pidfd.
#include "backends.hpp"
#include "iolite/ready.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>

namespace iolite {
namespace {

using std::chrono::milliseconds;

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

bool is_well(int status) noexcept { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

// A child does not outlive its supervisor, whatever ends that: prctl(2), PR_SET_PDEATHSIG. Nobody
// would be left to bound its drain.
void end_with(kernel& os, int supervisor) noexcept {
  os.prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (os.getppid() != supervisor) os.kill(os.getpid(), SIGKILL);  // it was quicker
}

}  // namespace

// The listeners of a prefork server, by worker; some may share them.
class server::kept_listeners {
 public:
  explicit kept_listeners(kernel& os) noexcept : os_(os) {}
  kept_listeners(const kept_listeners&) = delete;
  kept_listeners& operator=(const kept_listeners&) = delete;
  ~kept_listeners() { close(); }

  void add(std::vector<listener>& set) {
    std::vector<int>& fds = of_worker.emplace_back();
    fds.reserve(set.size());
    for (listener& l : set) fds.push_back(l.release());
  }
  // A worker that is busy has them open still: newcomers are refused.
  void shut_down() noexcept {
    for (const auto& set : of_worker) {
      for (const int fd : set) os_.shutdown(fd, SHUT_RD);
    }
    close();
  }

  std::vector<std::vector<int>> of_worker;

 private:
  void close() noexcept {
    for (auto& set : of_worker) {
      for (const int fd : set) {
        if (fd < 0) continue;
        for (auto& other : of_worker) std::ranges::replace(other, fd, -1);
        os_.close(fd);
      }
    }
    of_worker.clear();
  }

  kernel& os_;
};

// The status of child `pid`, once it has ended. Made before the fork, so that no child is left for
// want of memory.
task<int> server::ended(const int& pid) {
  int status = 0;
  const int fd = os_.pidfd_open(pid);
  for (child& c : children_) {
    if (c.pid == pid) c.fd = fd;
  }
  for (int r = 0; r == 0 || r == -EINTR;) {
    r = os_.waitpid(pid, &status, WNOHANG);
    if (r != 0) continue;
    bool told = false;
    if (fd >= 0) {
      auto end = ready(fd, interest::read);
      told = (co_await end).has_value();
    }
    if (!told) {  // before Linux 5.3, or no descriptor or no memory is free
      auto pause = sleep(milliseconds(20));
      static_cast<void>(co_await pause);
    }
  }
  if (fd >= 0) os_.close(fd);
  std::erase_if(children_, [&](const child& c) { return c.pid == pid; });
  co_return status;
}

void server::tell_children(int number) noexcept {
  for (const child& c : children_) os_.kill(c.pid, number);
}

// In a child: the others are its supervisor's. Their descriptors may be all there are.
void server::forget_children() noexcept {
  for (const child& c : children_) {
    if (c.fd >= 0) os_.close(c.fd);
  }
  children_.clear();
}

// --- process: a fork for each connection ---

server::outcome server::serve_process() {
  return serve_on_one_loop(
      "poll", [this](std::vector<listener> l) { return accept_for_processes(std::move(l)); });
}

task<void> server::accept_for_processes(std::vector<listener> listeners) {
  scope children;
  const sink take = [&](stream s) { return fork_for(children, listeners, std::move(s)); };
  std::exception_ptr failed;
  try {
    co_await accept_until_stopped(listeners, take, connections_block());
  } catch (...) {
    failed = std::current_exception();
  }
  tell_children(SIGTERM);
  auto gone = connections_.none_left();
  if (!co_await (gone | within(options_.drain_timeout))) {
    counts_->connections_cancelled += children_.size();
    tell_children(SIGKILL);
  }
  if (children.to_be_joined()) co_await children.join();
  if (failed) std::rethrow_exception(failed);
}

// Without a process to be had the connection waits, and accepting with it.
task<void> server::fork_for(scope& children, std::vector<listener>& listeners, stream s) {
  while (!stopping_) {
    int forked = 0;
    children.spawn(connection_process(listeners, s, forked));
    if (forked > 0) co_return;  // the child has the connection
    note_pause(std::error_code(-forked, std::system_category()));
    auto change = next_end();
    static_cast<void>(co_await (change | within(pause_length)));
  }
}

// A child for `s`, until its end. `s` and `forked` are used before the first wait only.
task<void> server::connection_process(std::vector<listener>& listeners, const stream& s,
                                      int& forked) {
  int pid = -1;
  task<int> end = ended(pid);
  children_.reserve(children_.size() + 1);
  const int supervisor = os_.getpid();
  pid = os_.fork();
  forked = pid;
  if (pid == 0) run_child(listeners, s, supervisor);
  if (pid < 0) co_return;
  children_.push_back({pid});
  const connection_table::entry counted(connections_, -1);
  const int status = co_await end;
  if (is_well(status) || stopping_) co_return;
  ++counts_->handler_failures;
  log_once(cause::child, [&] { return "the process of a connection " + how_it_ended(status); });
}

void server::run_child(std::vector<listener>& listeners, const stream& s, int supervisor) noexcept {
  forget_children();
  for (listener& l : listeners) os_.close(l.native_handle());
  const int fd = s.native_handle();
  stop_signals::end_connection_instead(fd);
  end_with(os_, supervisor);
  connection_table::entry entry(connections_, fd);
  try {
    const auto on = connection_engine();
    if (on) run_alone(**on, fd, s.is_tcp(), entry);
    else log_once(cause::child, [&] { return "a connection is closed: " + on.error().message; });
    exit_process(on ? 0 : 1);
  } catch (const std::bad_alloc&) {
    exit_process(1);
  }
}

// --- prefork: N processes that accept ---

server::outcome server::serve_prefork() {
  const bool blocking = model_.engine == "blocking";
  const unsigned n = options_.workers > 0 ? options_.workers
                     : blocking           ? 16U
                                          : std::max(std::thread::hardware_concurrency(), 1U);
  auto on = make_engine_on(os_, "poll");
  if (!on) return std::unexpected(on.error());
  // Opened here and kept: a worker that crashed finds its queue again. Blocking workers share one.
  kept_listeners listeners(os_);
  {
    const auto shape = make_engine_on(os_, model_.engine, options_.engine);
    if (!shape) return std::unexpected(shape.error());
    if (auto r = claim_addresses(**shape); !r) return r;
    for (unsigned i = 0; i < (blocking ? 1U : n); ++i) {
      auto opened = open_listeners(**shape, !blocking);
      if (!opened) return std::unexpected(opened.error());
      listeners.add(*opened);
    }
    listeners.of_worker.reserve(n);
    listeners.of_worker.resize(n, listeners.of_worker.front());
  }
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  (*on)->run(supervise(listeners));
  return {};
}

task<void> server::supervise(kept_listeners& listeners) {
  scope workers;
  const std::size_t n = listeners.of_worker.size();
  std::exception_ptr failed;
  try {
    children_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) workers.spawn(keep_worker(listeners.of_worker, i));
    co_await latch_->wait();
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  stopping_ = true;
  stop_workers_.set();
  tell_children(SIGTERM);
  listeners.shut_down();
  // The workers drain by the same clock; a second more for what they do not control.
  scope timer;
  struct late {
    static task<void> kill(server& s) {
      auto time_is_up = sleep(s.options_.drain_timeout + std::chrono::seconds(1));
      if (co_await time_is_up) s.tell_children(SIGKILL);
    }
  };
  try {
    timer.spawn(late::kill(*this));
  } catch (const std::bad_alloc&) {  // no memory to wait
    tell_children(SIGKILL);
  }
  if (workers.to_be_joined()) co_await workers.join();
  timer.cancel();
  if (timer.to_be_joined()) co_await timer.join();
  if (failed) std::rethrow_exception(failed);
}

// Starts worker `mine` again when it crashes: at once the first time, then more and more slowly.
task<void> server::keep_worker(std::vector<std::vector<int>>& listeners, std::size_t mine) {
  clock::duration pause = clock::duration::zero();
  while (!stopping_) {
    const clock::time_point born = os_.now();
    const int supervisor = os_.getpid();
    int pid = -ENOMEM;
    try {
      task<int> end = ended(pid);
      pid = os_.fork();
      if (pid == 0) run_worker(listeners, mine, supervisor);
      if (pid > 0) {
        children_.push_back({pid});  // there is room
        const int status = co_await end;
        // A stop asked for while workers were being forked reaches the youngest of them first.
        if (stopping_ || latch_->asked()) co_return;
        ++counts_->children_restarted;
        log_once(cause::child,
                 [&] { return "a worker " + how_it_ended(status) + "; another is started"; });
      }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): `pid` says it, tried again
    }
    if (pid < 0) {
      log_once(cause::child,
               [&] { return "no process for a worker: " + std::system_category().message(-pid); });
    }
    if (os_.now() - born > std::chrono::seconds(5)) pause = clock::duration::zero();
    auto stop = stop_workers_.wait();
    if (pause > clock::duration::zero() && co_await (stop | within(pause))) co_return;
    pause = std::clamp<clock::duration>(pause * 2, milliseconds(50), std::chrono::seconds(5));
  }
}

void server::run_worker(const std::vector<std::vector<int>>& listeners, std::size_t mine,
                        int supervisor) noexcept {
  forget_children();
  const std::vector<int>& own = listeners[mine];
  for (const auto& set : listeners) {
    for (const int fd : set) {
      if (std::ranges::find(own, fd) == own.end()) os_.close(fd);
    }
  }
  latch_ = &worker_latch_;
  stop_signals::ask_instead(*latch_);
  end_with(os_, supervisor);
  try {
    auto on = make_engine_on(os_, model_.engine, options_.engine);
    if (!on) {
      log_once(cause::child, [&] { return on.error().message; });
      exit_process(1);
    }
    std::vector<listener> adopted;
    adopted.reserve(own.size());
    for (const int fd : own) adopted.push_back(listener::adopt(**on, fd));
    (*on)->run(loop(std::move(adopted), until_latch()));
    exit_process(0);
  } catch (const std::bad_alloc&) {
    exit_process(1);
  }
}

}  // namespace iolite

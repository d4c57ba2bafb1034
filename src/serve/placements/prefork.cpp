// The placement prefork: N processes that accept. See server.hpp.
//
// The supervisor opens the listeners of all workers and keeps them: a worker that crashed finds its
// queue again. The kernel goes on giving connections to a listener whose worker is missing, so
// while one cannot be started, the others accept from its listeners, too.
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "models/backends.hpp"
#include "serve/placements/child_processes.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <new>
#include <sys/socket.h>
#include <system_error>

namespace iolite {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The listeners of all workers, by worker; some may share them.
class kept_listeners {
 public:
  // `lent`: by address, those whose queues are their owners'.
  kept_listeners(kernel& os, const std::vector<bool>& lent) noexcept : os_(os), lent_(lent) {}
  kept_listeners(const kept_listeners&) = delete;
  kept_listeners& operator=(const kept_listeners&) = delete;
  ~kept_listeners() { close(); }

  void add(std::vector<listener>& set) {
    std::vector<int>& fds = of_worker.emplace_back();
    fds.reserve(set.size());
    for (listener& l : set) fds.push_back(l.release());
  }
  // Each of them once, for an engine that polls. The workers accept from them no more.
  [[nodiscard]] std::vector<listener> all(engine& on) const {
    std::vector<int> fds = own();
    std::ranges::sort(fds);
    const auto same = std::ranges::unique(fds);
    fds.erase(same.begin(), same.end());
    std::vector<listener> out;
    out.reserve(fds.size());
    for (const int fd : fds) {
      os_.fcntl(fd, F_SETFL, os_.fcntl(fd, F_GETFL) | O_NONBLOCK);
      out.push_back(listener::adopt(on, fd));
    }
    return out;
  }
  // A worker that is busy has them open still: newcomers are refused.
  void shut_down() noexcept {
    for (const auto& set : of_worker) {
      for (std::size_t i = 0; i < set.size(); ++i) {
        if (!lent_[i]) os_.shutdown(set[i], SHUT_RD);
      }
    }
    close();
  }

  std::vector<std::vector<int>> of_worker;

 private:
  [[nodiscard]] std::vector<int> own() const {
    std::vector<int> out;
    for (const auto& set : of_worker) {
      for (std::size_t i = 0; i < set.size(); ++i) {
        if (!lent_[i]) out.push_back(set[i]);
      }
    }
    return out;
  }
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
  const std::vector<bool>& lent_;
};

}  // namespace

// --- the supervisor ---

class server::worker_processes {
 public:
  worker_processes(server& s, std::size_t n, bool one_queue)
      : listeners(s.os_, s.lent_), of_(s), children_(s.os_), seats_(s.os_, n),
        one_queue_(one_queue) {}

  task<void> supervise();

  kept_listeners listeners;

 private:
  task<void> keep(std::size_t mine);
  [[nodiscard]] int start(std::size_t mine);
  void note_end(std::size_t mine, int status);
  task<void> turn_queued_away();
  task<void> kill_late();

  server& of_;
  child_processes children_;
  const shared_objects<worker_seat> seats_;
  const bool one_queue_;
  bool killed_ = false;  // those who did not end in time
};

server::outcome server::serve_prefork() {
  const bool blocking = model_.engine == "blocking";
  const unsigned n = of_->workers();
  auto on = make_engine_on(os_, "poll");
  if (!on) return std::unexpected(on.error());
  worker_processes all(*this, n, blocking);  // blocking workers share one queue
  {
    const auto shape = make_engine_on(os_, model_.engine, options_.engine);
    if (!shape) return std::unexpected(shape.error());
    for (unsigned i = 0; i < (blocking ? 1U : n); ++i) {
      auto opened = open_listeners(**shape, !blocking);
      if (!opened) return std::unexpected(opened.error());
      all.listeners.add(*opened);
    }
    all.listeners.of_worker.reserve(n);
    all.listeners.of_worker.resize(n, all.listeners.of_worker.front());
  }
  const stop_signals signals(os_, *latch_, options_.signals);
  announce();
  (*on)->run(all.supervise());
  return {};
}

task<void> server::worker_processes::supervise() {
  task<void> turn_rest_away = turn_queued_away();  // its memory
  detail::bare_scope workers;
  std::exception_ptr failed;
  try {
    for (std::size_t i = 0; i < listeners.of_worker.size(); ++i) workers.spawn(keep(i));
    co_await of_.latch_->wait();
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  of_.begin_drain();
  of_.counts_.stopping = true;
  of_.stop_workers_.set();
  children_.tell(SIGTERM);
  co_await turn_rest_away;
  listeners.shut_down();
  detail::bare_scope timer;
  try {
    timer.spawn(kill_late());
  } catch (const std::bad_alloc&) {  // no memory to wait
    children_.tell(SIGKILL);
  }
  if (workers.to_be_joined()) co_await workers.join();
  timer.cancel();
  if (timer.to_be_joined()) co_await timer.join();
  if (failed) std::rethrow_exception(failed);
}

task<void> server::worker_processes::turn_queued_away() {
  const context c = co_await here{};
  std::vector<listener> all;
  spare_descriptor spare(of_.os_);
  try {
    all = listeners.all(*c.on);
    co_await of_.turn_away_queued(all, spare);
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): they are reset
  }
  for (listener& l : all) static_cast<void>(l.release());
}

// The workers drain by the same clock; some time more for what they do not control.
task<void> server::worker_processes::kill_late() {
  const clock::time_point drained = deadline_after(of_.os_.now(), of_.options_.drain_timeout);
  auto time_is_up = sleep_until(deadline_after(drained, grace));
  if (!co_await time_is_up) co_return;
  killed_ = true;
  children_.tell(SIGKILL);
}

// Starts worker `mine` again when it crashes: at once the first time, then more and more slowly.
task<void> server::worker_processes::keep(std::size_t mine) {
  clock::duration pause = clock::duration::zero();
  while (!of_.stopping_) {
    const clock::time_point born = of_.os_.now();
    int pid = -ENOMEM;
    try {
      task<int> end = children_.end_of(pid);
      pid = start(mine);
      if (pid > 0) {
        seats_[mine].missing = false;
        const int status = co_await end;
        note_end(mine, status);
        // A stop asked for while workers were being forked reaches the youngest of them first.
        if (of_.stopping_ || of_.latch_->asked()) co_return;
      }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): `pid` says it, tried again
    }
    if (pid < 0) {
      of_.log_once(log_cause::child, [&] {
        return "no process for a worker: " + std::system_category().message(-pid);
      });
    }
    if (of_.os_.now() - born > seconds(5)) pause = clock::duration::zero();
    seats_[mine].missing = pid < 0 || pause > clock::duration::zero();
    auto stop = of_.stop_workers_.wait();
    if (pause > clock::duration::zero() && co_await (stop | within(pause))) co_return;
    pause = std::clamp<clock::duration>(pause * 2, milliseconds(50), seconds(5));
  }
}

int server::worker_processes::start(std::size_t mine) {
  worker_part part{listeners.of_worker, mine, &seats_[0], one_queue_};
  for (std::size_t w = 0; w < part.listeners.size(); ++w) {
    for (std::size_t i = 0; w != mine && i < of_.at_.size(); ++i) {
      if (of_.shared_queues_[i] >= 0) part.listeners[w][i] = -1;  // all have that queue already
    }
  }
  return children_.start([what = of_.of_, part = std::move(part)](kernel& os) {
    return std::make_shared<server>(os, what)->serve_as(part);
  });
}

void server::worker_processes::note_end(std::size_t mine, int status) {
  const unsigned lost = seats_[mine].live.exchange(0);
  of_.of_->now(mine) = 0;
  if (of_.stopping_ || of_.latch_->asked()) {
    if (is_well(status)) return;
    of_.counts_.connections_cancelled += lost;
    if (killed_) return;
    of_.log_once(log_cause::child,
                 [&] { return "a worker " + how_it_ended(status) + " while it drained"; });
    return;
  }
  ++of_.counts_.children_restarted;
  of_.log_once(log_cause::child,
               [&] { return "a worker " + how_it_ended(status) + "; another is started"; });
}

}  // namespace iolite

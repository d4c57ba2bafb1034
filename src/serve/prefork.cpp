// The placement prefork: N processes that accept. See server.hpp.
//
// The supervisor opens the listeners of all workers and keeps them: a worker that crashed finds its
// queue again. The kernel goes on giving connections to a listener whose worker is missing, so
// while one cannot be started, the others accept from its listeners, too.
#include "backends.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "serve/child_processes.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <list>
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

}  // namespace

// --- the supervisor ---

class server::worker_processes {
 public:
  worker_processes(server& s, std::size_t n, bool one_queue)
      : listeners(s.os_), of_(s), children_(s.os_), seats_(s.os_, n), one_queue_(one_queue) {}

  task<void> supervise();

  kept_listeners listeners;

 private:
  task<void> keep(std::size_t mine);
  [[nodiscard]] int start(std::size_t mine);
  void note_end(std::size_t mine, int status);
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
    if (auto r = claim_addresses(**shape); !r) return r;
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
  detail::bare_scope workers;
  std::exception_ptr failed;
  try {
    for (std::size_t i = 0; i < listeners.of_worker.size(); ++i) workers.spawn(keep(i));
    co_await of_.latch_->wait();
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  of_.stopping_ = true;
  of_.remove_socket_files();
  of_.counts_.stopping = true;
  of_.stop_workers_.set();
  children_.tell(SIGTERM);
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

// The workers drain by the same clock; some time more for what they do not control.
task<void> server::worker_processes::kill_late() {
  auto time_is_up = sleep(of_.options_.drain_timeout + grace);
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
      if (!of_.at_[i].is_tcp()) part.listeners[w][i] = -1;  // all have that queue already
    }
  }
  return children_.start([what = of_.of_, part = std::move(part)](kernel& os) {
    return std::make_shared<server>(os, what)->serve_as(part);
  });
}

void server::worker_processes::note_end(std::size_t mine, int status) {
  const unsigned lost = seats_[mine].live.exchange(0);
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

// --- a worker ---

int server::serve_as(worker_part part) {
  worker_ = std::move(part);
  connections_.publish(worker_->seats[worker_->mine].live);
  stop_signals::ask(os_, own_latch_);
  auto on = make_engine_on(os_, model_.engine, options_.engine);
  if (!on) {
    log_once(log_cause::child, [&] { return on.error().message; });
    return 1;
  }
  const std::vector<int>& own = worker_->listeners[worker_->mine];
  std::vector<listener> adopted;
  adopted.reserve(own.size());
  for (const int fd : own) adopted.push_back(listener::adopt(**on, fd));
  try {
    (*on)->run(loop(std::move(adopted), until_latch()));
  } catch (const std::system_error& e) {  // a blocking engine has a thread for each listener
    log_once(log_cause::child, [&] { return "a worker cannot go on: " + e.code().message(); });
    return 1;
  }
  return 0;
}

namespace {

// A listener of a worker that is missing, and who accepts from it meanwhile.
struct substitute {
  std::size_t worker;
  int& fd;
  listener from;
  detail::bare_scope acceptor;

  substitute(engine& on, std::size_t of, int& number)
      : worker(of), fd(number), from(listener::adopt(on, number)) {}
};

}  // namespace

// Looks once a second who is missing. Its own listeners need it to be quick, these do not: a client
// waits that long only where processes cannot be had or crash again and again.
task<void> server::stand_in(worker_part& part, const sink& take) {
  const context c = co_await here{};
  std::list<substitute> standing;
  for (;;) {
    auto pause = sleep(seconds(1));
    if (!co_await pause) break;
    for (auto s = standing.begin(); s != standing.end();) {
      if (part.seats[s->worker].missing) {
        ++s;
        continue;
      }
      s->acceptor.cancel();
      if (s->acceptor.to_be_joined()) co_await s->acceptor.join();
      bool released = s->from.release() >= 0;
      while (!released) {  // the engine has accepted ahead
        auto next = co_await s->from.accept();
        if (!next) break;
        try {
          auto room = wait_for_place();
          place at = co_await room;
          if (at) co_await take(std::move(*next), std::move(at));
        } catch (const std::bad_alloc&) {
          note_starved_connection();
        }
        released = s->from.release() >= 0;
      }
      if (!released) s->fd = -1;  // it is closed here
      s = standing.erase(s);
    }
    try {
      for (std::size_t i = 0; i < part.listeners.size(); ++i) {
        if (i == part.mine || !part.seats[i].missing) continue;
        if (std::ranges::find(standing, i, &substitute::worker) != standing.end()) continue;
        for (int& fd : part.listeners[i]) {
          if (fd < 0) continue;
          substitute& s = standing.emplace_back(*c.on, i, fd);
          s.acceptor.spawn(accept_all(s.from, take));
        }
      }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it is tried again
    }
  }
  for (substitute& s : standing) {
    s.acceptor.cancel();
    if (s.acceptor.to_be_joined()) co_await s.acceptor.join();
  }
}

}  // namespace iolite

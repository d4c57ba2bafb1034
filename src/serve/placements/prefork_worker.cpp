// A worker of the placement prefork: see prefork.cpp, and worker.hpp for what it is given.
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "models/backends.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <list>
#include <new>
#include <system_error>

namespace iolite {

using std::chrono::seconds;

int server::serve_as(worker_part part) {
  worker_ = std::move(part);
  connections_.publish(worker_->seats[worker_->mine].live);
  connections_.count_in(of_->now(worker_->mine));
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
    (*on)->run(with_beside(loop(std::move(adopted), until_latch()), {true, worker_->mine == 0}));
  } catch (const std::system_error& e) {  // a blocking engine has a thread for each listener
    log_once(log_cause::child, [&] { return "a worker cannot go on: " + e.code().message(); });
    return 1;
  }
  return 0;
}

// Looks once a second who is missing. Its own listeners need it to be quick, these do not: a client
// waits that long only where processes cannot be had or crash again and again.
task<void> server::stand_in(worker_part& part, const sink& take,
                            std::list<substitute>& substitutes) {
  const context c = co_await here{};
  for (;;) {
    auto pause = sleep(seconds(1));
    if (!co_await pause) break;
    for (auto s = substitutes.begin(); s != substitutes.end();) {
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
          if (!at) turn_away(std::move(*next));
          else if (is_admitted(*next)) co_await take(std::move(*next), std::move(at));
        } catch (const std::bad_alloc&) {
          note_starved_connection();
        }
        released = s->from.release() >= 0;
      }
      if (!released && is_stopping()) {  // who has come ahead is turned away: turn_away_ahead()
        ++s;
        continue;
      }
      if (!released) s->fd = -1;  // it is closed here
      s = substitutes.erase(s);
    }
    try {
      for (std::size_t i = 0; i < part.listeners.size(); ++i) {
        if (i == part.mine || !part.seats[i].missing) continue;
        if (std::ranges::find(substitutes, i, &substitute::worker) != substitutes.end()) continue;
        for (int& fd : part.listeners[i]) {
          if (fd < 0) continue;
          substitute& s = substitutes.emplace_back(*c.on, i, fd);
          s.acceptor.spawn(accept_all(s.from, take));
        }
      }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it is tried again
    }
  }
  for (substitute& s : substitutes) {
    s.acceptor.cancel();
    if (s.acceptor.to_be_joined()) co_await s.acceptor.join();
  }
}

// Once accepting has stopped: the supervisor turns away who is in the queues. Not who has left one
// for the ring of this worker, ahead of an accept.
task<void> server::turn_away_ahead(std::vector<listener>& own, std::list<substitute>& substitutes) {
  auto other = substitutes.begin();
  for (std::size_t i = 0; i < own.size() || other != substitutes.end(); ++i) {
    listener& l = i < own.size() ? own[i] : (other++)->from;
    int fd = l.release();
    while (fd == -EBUSY) {
      auto next = co_await l.accept();
      if (next) turn_away(std::move(*next));
      fd = l.release();
    }
    if (fd >= 0) os_.close(fd);
  }
}

}  // namespace iolite

// How a server accepts: as many connections as it may have, and not without end what cannot be
// served. See server.hpp.
#include "serve/server.hpp"

#include "iolite/scope.hpp"
#include "iolite/time.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace iolite {

using std::chrono::milliseconds;

bool server::connections_block() const {
  const auto own = connection_engine();
  return !own || !(*own)->traits().needs_nonblocking;
}

// On a loop of its own, for connections that run elsewhere. The listeners are closed then.
task<void> server::accept_until_stopped(std::vector<listener>& listeners, const sink& take,
                                        bool blocking_sockets) {
  spare_descriptor spare(os_);
  task<void> turn_away_rest = turn_away_queued(listeners, spare);  // its memory
  detail::bare_scope acceptors;
  std::exception_ptr failed;
  try {
    for (listener& l : listeners) {
      l.give_blocking_sockets(blocking_sockets);
      acceptors.spawn(accept_all(l, take));
    }
    co_await latch_->wait();
  } catch (...) {  // no memory for all of them: none
    failed = std::current_exception();
  }
  begin_drain();
  drained_by_ = deadline_after(os_.now(), options_.drain_timeout);
  acceptors.cancel();
  if (acceptors.to_be_joined()) co_await acceptors.join();
  co_await turn_away_rest;
  listeners.clear();
  if (options_.on_drain) {
    auto said = goodbye_is_said_.wait();
    static_cast<void>(co_await (said | until(drained_by_)));
  }
  if (failed) std::rethrow_exception(failed);
}

// An accepted connection that no child process has yet. Another child that is forked meanwhile
// inherits it, and would keep it open beyond its end. On the thread that forks.
class server::undecided {
 public:
  undecided(server& s, int number) noexcept : list_(s.undecided_), number_(number) {
    if (s.model_.placement != placement::process) return;
    next_ = std::exchange(list_, this);
    listed_ = true;
  }
  undecided(const undecided&) = delete;
  undecided& operator=(const undecided&) = delete;
  ~undecided() {
    if (!listed_) return;
    undecided** at = &list_;
    while (*at != this) at = &(*at)->next_;
    *at = next_;
  }
  static void add_numbers(const undecided* first, std::vector<int>& to) {
    for (const undecided* u = first; u; u = u->next_) to.push_back(u->number_);
  }

 private:
  undecided*& list_;
  const int number_;
  undecided* next_ = nullptr;
  bool listed_ = false;
};

std::vector<int> server::undecided_numbers() const {
  std::vector<int> out;
  undecided::add_numbers(undecided_, out);
  return out;
}

// A connection is served once it has a place. Several listeners, also of several threads, accept at
// the same time: when the last place is gone meanwhile, a connection waits here for the next one.
task<void> server::accept_all(listener& from, const sink& take) {
  const context c = co_await here{};
  // A blocked accept(2) of a thread is ended by looking up now and then. And the news of a
  // connection may go to a worker that was killed, while the kernel still takes its ring apart: the
  // one that has come in its place looks for itself.
  clock::duration look_up = clock::duration::max();
  if (model_.placement == placement::prefork) look_up = std::chrono::seconds(1);
  if (c.on->traits().blocking) look_up = milliseconds(200);
  while (!is_stopping()) {
    if (connections_.full()) {
      note_full_house();
      auto room = connections_.room();
      if (!co_await room) co_return;
      continue;  // unless another acceptor was quicker
    }
    auto next = co_await (from.accept() | within(look_up));
    std::error_code trouble;
    if (next && !is_admitted(*next)) continue;
    if (next) {
      const undecided known(*this, next->native_handle());
      place at = connections_.admit();
      if (!at) {
        task<place> waiting = wait_for_place();
        at = co_await waiting;
        if (!at) co_return turn_away(std::move(*next));
      }
      ++counts_.connections;
      try {
        co_await take(std::move(*next), std::move(at));
      } catch (const std::bad_alloc&) {  // this one is closed, the others live
        trouble = std::make_error_code(std::errc::not_enough_memory);
      }
    } else if (next.error() == std::errc::operation_canceled || is_stopping()) {
      co_return;
    } else if (next.error() != std::errc::timed_out) {
      trouble = next.error();
    }
    if (!trouble) continue;
    note_pause(trouble);
    auto change = next_end();
    static_cast<void>(co_await (change | within(pause_length)));
  }
}

// What serve_options::on_accept says to `s`.
bool server::is_admitted(stream& s) noexcept {
  if (!options_.on_accept) return true;
  try {
    if (options_.on_accept(s) && s.is_open()) return true;
  } catch (...) {
    note_thrown(log_cause::hook, "on_accept failed, the connection is refused");
  }
  ++counts_.connections_refused;
  return false;
}

// Once accepting has stopped: whoever waits in a queue yet is not served. To close the listener
// would reset these connections, and nobody could tell that from a fault. More than the queue holds
// have come since. The kernel lets one more in than listen(2) was told, and takes a negative number
// for a very large one: sk_acceptq_is_full().
task<void> server::turn_away_queued(std::vector<listener>& listeners, spare_descriptor& spare) {
  constexpr unsigned longest = 65'535;
  const unsigned queued_max =
      std::min(static_cast<unsigned>(options_.sockets.backlog), longest) + 1;
  for (listener& l : listeners) {
    for (unsigned left = l.lent_ ? 0 : queued_max; left > 0; --left) {
      auto next = co_await (l.accept() | within(clock::duration::zero()));
      if (!next && spare.give_back()) continue;  // a ring may say only that nobody came in time
      if (!next) break;
      turn_away(std::move(*next));
    }
  }
}

void server::turn_away(stream s) noexcept {
  const bool tcp = s.is_tcp();
  if (const int fd = s.release(); fd >= 0) connections_.turn_away(fd, tcp);
}

// None when it was cancelled.
task<connection_table::place> server::wait_for_place() {
  for (;;) {
    place at = connections_.admit();
    if (at) co_return at;
    note_full_house();
    auto room = connections_.room();
    if (!co_await room) co_return place();
  }
}

void server::note_full_house() noexcept {
  ++counts_.accept_pauses;
  log_once(log_cause::full,
           [] { return "connections_max is reached: accepting pauses until a connection ends"; });
}

void server::note_pause(const std::error_code& why) noexcept {
  ++counts_.accept_pauses;
  const bool descriptors =
      why == std::errc::too_many_files_open || why == std::errc::too_many_files_open_in_system;
  const char* const remedy = options_.engine.direct_descriptors > 0
                                 ? "; raise direct_descriptors or lower connections_max"
                                 : "; raise `ulimit -n` or lower connections_max";
  log_once(descriptors ? log_cause::no_descriptor : log_cause::accept,
           [&] { return "accepting pauses: " + why.message() + (descriptors ? remedy : ""); });
}

}  // namespace iolite

// The placement process: a fork for each connection. See server.hpp.
//
// The supervisor is a loop over poll(2) with nothing inherited by accident: a child closes what is
// not its own, makes an engine of its own and never returns. Ends of children are read from their
// pidfd.
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "serve/placements/child_processes.hpp"
#include "serve/server.hpp"
#include "serve/signals.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace iolite {

class server::connection_processes {
 public:
  explicit connection_processes(server& s) noexcept : of_(s), children_(s.os_) {}

  task<void> run(std::vector<listener> listeners);

 private:
  task<void> fork_for(scope& ends, const std::vector<int>& listeners, stream s, place at);
  task<void> one(const std::vector<int>& listeners, const stream& s, place& at, int& forked);

  server& of_;
  child_processes children_;
  bool killed_ = false;  // those who did not end in time
};

server::outcome server::serve_process() {
  connection_processes all(*this);
  return serve_on_one_loop("poll",
                           [&all](std::vector<listener> l) { return all.run(std::move(l)); });
}

task<void> server::connection_processes::run(std::vector<listener> listeners) {
  detail::bare_scope ends;
  std::vector<int> numbers;
  numbers.reserve(listeners.size());
  for (const listener& l : listeners) numbers.push_back(l.native_handle());
  const sink take = [&](stream s, place at) {
    return fork_for(ends, numbers, std::move(s), std::move(at));
  };
  std::exception_ptr failed;
  try {
    co_await of_.accept_until_stopped(listeners, take, of_.connections_block());
  } catch (...) {
    failed = std::current_exception();
  }
  children_.tell(SIGTERM);
  auto gone = of_.connections_.none_left();
  if (!co_await (gone | until(of_.drained_by_))) {
    of_.counts_.connections_cancelled += children_.living();
    killed_ = true;
    children_.tell(SIGKILL);
  }
  if (ends.to_be_joined()) co_await ends.join();
  if (failed) std::rethrow_exception(failed);
}

// Without a process to be had the connection waits, and accepting with it.
task<void> server::connection_processes::fork_for(scope& ends, const std::vector<int>& listeners,
                                                  stream s, place at) {
  while (!of_.stopping_) {
    int forked = 0;
    ends.spawn(one(listeners, s, at, forked));
    if (forked > 0) co_return;  // the child has the connection
    of_.note_pause(std::error_code(-forked, std::system_category()));
    auto change = of_.next_end();
    static_cast<void>(co_await (change | within(pause_length)));
  }
  of_.turn_away(std::move(s));
}

// A child for `s`, until its end. The parameters are used before the first wait only.
task<void> server::connection_processes::one(const std::vector<int>& listeners, const stream& s,
                                             place& at, int& forked) {
  int pid = -ENOMEM;
  std::optional<task<int>> end;
  try {
    end.emplace(children_.end_of(pid));
    std::vector<int> others = of_.undecided_numbers();
    std::erase(others, s.native_handle());
    others.insert(others.end(), listeners.begin(), listeners.end());
    pid = children_.start([what = of_.of_, others = std::move(others), fd = s.native_handle(),
                           tcp = s.is_tcp()](kernel& os) {
      for (const int other : others) os.close(other);
      return std::make_shared<server>(os, what)->serve_one(fd, tcp);
    });
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): `pid` says it
  }
  forked = pid;
  if (pid < 0) co_return;
  const place held(std::move(at));
  task<int>& ended = *end;  // NOLINT(bugprone-unchecked-optional-access): there is a child
  const int status = co_await ended;
  if (is_well(status) || killed_) co_return;
  ++of_.counts_.handler_failures;
  of_.log_once(log_cause::child,
               [&] { return "the process of a connection " + how_it_ended(status); });
}

// In a child: one connection. The exit status.
int server::serve_one(int fd, bool tcp) {
  const auto entry = connections_.add(fd);
  entry->enter(connections_.admit());
  stop_signals::end_connection(os_, own_latch_, fd);
  has_one_connection_ = true;
  auto on = connection_engine();
  if (!on) {
    log_once(log_cause::child, [&] { return "a connection is closed: " + on.error().message; });
    return 1;
  }
  const std::shared_ptr<engine> mine(std::move(*on));
  run_alone(mine, fd, tcp, *entry);
  entry->close_stream();
  mine->run(connections_.until_none_lingers());  // the supervisor ends it when the time is over
  return 0;
}

}  // namespace iolite

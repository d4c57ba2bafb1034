// Serves connections with a handler, under any model:
//
//   iolite::task<> echo(iolite::stream peer) { ... }
//   int main() { return iolite::serve_main(echo, {.listen = {"127.0.0.1:7000"}}); }
#pragma once
#include "iolite/clock.hpp"
#include "iolite/endpoint.hpp"
#include "iolite/listener.hpp"
#include "iolite/models.hpp"
#include "iolite/result.hpp"
#include "iolite/serving.hpp"
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace iolite {

namespace detail {

// Converts to a reference of either kind but not to a value: a callable that accepts it takes a
// stream&&.
struct any_reference_to_stream {
  operator stream&() const;  // NOLINT(google-explicit-constructor): that is its purpose
  operator stream&&() const;  // NOLINT(google-explicit-constructor)
};

// Whether F is a function, or a class with exactly one call operator that is not a template.
template <class F>
concept plain_callable =
    std::is_function_v<std::remove_pointer_t<F>> || requires { &F::operator(); };

// Whether F takes its stream by reference: the caller would keep the object.
template <class F, class... More>
constexpr bool borrows_stream() noexcept {
  if constexpr (plain_callable<F>) {
    return std::is_invocable_v<F&, any_reference_to_stream, More...> ||
           std::is_invocable_v<F&, stream&, More...>;
  } else {
    return std::is_invocable_v<F&, stream&, More...>;
  }
}

}  // namespace detail

// Anything that can be called as `task<> handle(stream peer)`, or `task<> handle(stream peer,
// serving& server)` (serving.hpp). It is called once for each connection, on the thread (or in the
// process) that runs the connection. An exception that escapes it ends that connection only and is
// logged. It must take the stream by value: the coroutine would outlive whatever a reference refers
// to.
//
// A connection lasts until its handler has returned and its stream is closed. A handler may
// therefore move the stream elsewhere, for instance into a lobby or to the handler of another
// connection on the same engine. The stream still counts against connections_max, and a stop drains
// it like any other. Streams that are still open when their engine ends are closed, wherever they
// are: an engine ends with serve() or, under the placements `thread` and `process`, where each
// connection has its own engine, with the handler. Under blocking/thread and blocking/pool any
// thread may use a stream until it is closed.
class handler : public std::function<task<void>(stream, serving&)> {
 public:
  handler() noexcept = default;
  template <class F>
    requires(!std::is_base_of_v<handler, std::remove_cvref_t<F>> &&
             detail::serves<std::decay_t<F>, stream>)
  handler(F&& f)  // NOLINT(google-explicit-constructor): as std::function
      : function(detail::with_server<stream>(std::decay_t<F>(std::forward<F>(f)))) {
    static_assert(!detail::borrows_stream<std::decay_t<F>>() &&
                      !detail::borrows_stream<std::decay_t<F>, serving&>(),
                  "a handler takes its stream by value, `iolite::stream peer`, not by reference");
  }
};

// Tells a running serve() to drain. It may be used from any thread, also before serve() begins, and
// by one serve() at a time.
class serve_stop {
 public:
  serve_stop();
  ~serve_stop();
  // Async-signal-safe. It touches nothing that belongs to serve(), which may return meanwhile.
  void request() noexcept;

 private:
  friend class server;
  struct state;
  std::unique_ptr<state> state_;
};

// Reads the counters of a running serve(), from any thread. Before it runs they are zero, after it
// they stay what serve() returned. It is used by one serve() at a time. In a child of `process` or
// `prefork` use serving::report() instead: the copy that fork(2) makes of this may be locked.
class serve_meter {
 public:
  serve_meter();
  ~serve_meter();
  [[nodiscard]] serve_report read() const noexcept;

 private:
  friend class server;
  struct state;
  std::unique_ptr<state> state_;
};

// How to serve: the model, addresses, limits, the stop, and whom to tell.
struct serve_options {
  std::string model = "auto";
  // Endpoints: see endpoint.hpp. Or `fd:3`, the number of a socket on which somebody has called
  // bind(2) and listen(2): systemd (sockets_from_systemd()), a parent, the program itself. It stays
  // theirs: serve() accepts from duplicates, sets or clears O_NONBLOCK as the model needs it, and
  // neither shuts it down nor removes its path. Whoever waits in its queue at the end is left there
  // for the next one to accept. Neither `sockets` nor allow_public applies to it.
  std::vector<std::string> listen = {"127.0.0.1:0"};
  unsigned workers = 0;  // pool, prefork: 0 means one per core (blocking: 16)
  // The most connections served at a time by one process (prefork: by each worker), over all its
  // listeners and threads. At the limit accepting pauses until a connection ends.
  unsigned connections_max = 10'000;
  // The next three are the initial limits of each stream; zero means no limit. A receive or send
  // that exceeds one ends with std::errc::timed_out.
  // How long a transfer may wait without moving a byte: stream::set_idle_timeout().
  clock::duration idle_timeout = clock::duration::zero();
  // How long the connection may last: stream::set_connection_timeout().
  clock::duration connection_timeout = clock::duration::zero();
  // The slowest rate of a transfer in progress, in bytes per second, measured over ten seconds:
  // stream::set_rate_min().
  std::uint32_t rate_min = 0;
  // After a stop, connections that wait for their peer see the end of the stream at once. The
  // others have this long to finish; then their operations are cancelled. A handler that has not
  // ended one second later hangs in a call that cannot be cancelled (a dead disk, a library that
  // sleeps): its thread or task is abandoned together with everything it uses, and a process is
  // killed. Objects outside the handler that it refers to must therefore live as long as the
  // program. Under `shared`, nothing can end a handler that blocks the only thread.
  clock::duration drain_timeout = std::chrono::seconds(3);
  // SIGINT and SIGTERM start a drain; a second one ends the process and its children at once, with
  // status 130 or 143. A child of `process` or `prefork` drains however many it receives, because a
  // signal to the process group reaches it twice: directly and through its parent. The previous
  // handlers are restored when serve() returns. One serve() at a time in a process: a second one
  // with this set stops the program.
  bool signals = true;
  // Declares that connections share state through channels or memory. `process` and `prefork` are
  // then refused, because their connections share nothing.
  bool shares_memory = false;
  // Allows listening on addresses that other machines can reach.
  bool allow_public = false;
  serve_stop* stop = nullptr;
  serve_meter* meter = nullptr;
  listen_options sockets = {};
  engine_options engine = {};
  // Called on the thread that called serve(), once all addresses listen and all threads of a pool
  // run, before the first connection is accepted.
  std::function<void(const model_choice&, const std::vector<endpoint>&)> on_listening = {};
  // Called for each connection before its handler: to set socket options (stream::set_option() and
  // its neighbours), or to refuse it by returning false, which closes it; one that is closed or
  // moved from then is refused as well. Called on the thread that accepts (under `pool`, and under
  // blocking/prefork with several addresses, on several threads). It must not block. An exception
  // refuses the connection, and is logged.
  std::function<bool(stream&)> on_accept = {};
  // Tasks that run beside the connections: serving.hpp.
  std::vector<task_beside> beside = {};
  // Awaited when the server has been told to stop, before any connection sees the end of its
  // stream: to say good-bye, for instance through their outboxes. It runs once in each process that
  // accepts, where a task beside of that process runs, and within drain_timeout: after that the
  // drain goes on without it. An exception is logged, and the drain goes on.
  server_task on_drain = {};
  // Receives each log message as one line without a newline, escaped so that it is safe to print
  // (one_line.hpp). Called from any thread, at most about once per second and cause.
  std::function<void(std::string_view)> log = {};
};

// Returns after a stop, when it has drained, or when it cannot start, also for want of memory or
// threads; the error's message says why in one line. Models that cannot work are refused, for
// instance blocking/shared, which could serve only one client at a time.
[[nodiscard]] std::expected<serve_report, error> serve(handler h, const serve_options& options);

// The sockets that systemd, or whoever follows its protocol, passes to this process, for
// serve_options::listen; empty if there are none. Marks them close-on-exec. Reads the environment:
// before there are threads that change it. sd_listen_fds(3).
[[nodiscard]] std::vector<std::string> sockets_from_systemd();

// serve() as the body of main(): prints a line `listening on ADDRESS (MODEL)` for each address and,
// on failure, one line on standard error. Returns the exit status: 0 after a drain, 1 on failure.
[[nodiscard]] int serve_main(handler h, serve_options options);

}  // namespace iolite

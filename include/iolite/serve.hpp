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

// Converts to a reference of either kind, and so to no value: what can be called with it takes a
// stream&&.
struct any_reference_to_stream {
  operator stream&() const;  // NOLINT(google-explicit-constructor): that is its purpose
  operator stream&&() const;  // NOLINT(google-explicit-constructor)
};

// Whether F is a function, or a class with one call operator that is no template.
template <class F>
concept plain_callable =
    std::is_function_v<std::remove_pointer_t<F>> || requires { &F::operator(); };

// Whether F refers to a stream that its caller has, instead of taking it.
template <class F>
constexpr bool borrows_stream() noexcept {
  if constexpr (plain_callable<F>) {
    return std::is_invocable_v<F&, any_reference_to_stream> || std::is_invocable_v<F&, stream&>;
  } else {
    return std::is_invocable_v<F&, stream&>;
  }
}

}  // namespace detail

// Called for each connection, on the thread (or in the process) that runs it; an exception ends
// that connection only, and is logged. Something that is called as `task<> handle(stream peer)`: it
// must take the stream by value, because a reference would outlive what it refers to.
//
// A connection lasts until its handler has ended and its stream is closed. So a handler may move
// the stream to somewhere else, a lobby or the handler of another connection on the same engine: it
// still counts against connections_max, and a stop drains and cuts it as any other. An engine ends
// when serve() does; with the placements `thread` and `process`, where each connection has one,
// when the handler does. Streams that are left then are closed, wherever they are. Not so with
// blocking/thread and blocking/pool: there any thread may use a stream, until it is closed.
class handler : public std::function<task<void>(stream)> {
 public:
  handler() noexcept = default;
  template <class F>
    requires(!std::is_base_of_v<handler, std::remove_cvref_t<F>> &&
             std::is_invocable_r_v<task<void>, std::decay_t<F>&, stream>)
  handler(F&& f)  // NOLINT(google-explicit-constructor): as std::function
      : function(std::forward<F>(f)) {
    static_assert(!detail::borrows_stream<std::decay_t<F>>(),
                  "a handler takes its stream by value, `iolite::stream peer`, not by reference");
  }
};

// Asks a running serve() to drain. Any thread; also before serve() begins. One serve() at a time.
class serve_stop {
 public:
  serve_stop();
  ~serve_stop();
  // Also from a signal handler. It uses nothing of serve(), which may return meanwhile.
  void request() noexcept;

 private:
  friend class server;
  struct state;
  std::unique_ptr<state> state_;
};

struct serve_options {
  std::string model = "auto";
  std::vector<std::string> listen = {"127.0.0.1:0"};  // endpoints: see endpoint.hpp
  unsigned workers = 0;  // pool, prefork: 0 means one a core (blocking: 16)
  // No more are served at a time, over all listeners and threads; accepting pauses then until one
  // ends. Per process (prefork: per worker).
  unsigned connections_max = 10'000;
  // What each stream begins with; zero: no limit. A receive or send that breaks one ends with
  // std::errc::timed_out. No byte has moved for that long: stream::set_idle_timeout().
  clock::duration idle_timeout = clock::duration::zero();
  // The whole connection lasts that long: stream::set_connection_timeout().
  clock::duration connection_timeout = clock::duration::zero();
  // Bytes per second, over ten seconds, while something is on its way: stream::set_rate_min().
  std::uint32_t rate_min = 0;
  // After a stop: connections that wait for their peer see the end of the stream at once; the
  // others have this long to finish, then their operations are cancelled. Who does not end within
  // one more second hangs in a call that cannot be cancelled (a dead disk, a handler that sleeps in
  // a library): a thread or a task is left behind then, with all that it uses, a process is killed.
  // So what a handler refers to outside of itself lives as long as the program. Where all run on
  // one thread, `shared`, nothing ends a handler that blocks that thread itself.
  clock::duration drain_timeout = std::chrono::seconds(3);
  // SIGINT and SIGTERM drain; a second one ends the process, and its children, at once with 130 or
  // 143. To a child of `process` and `prefork` any number of them is one wish to drain: it gets a
  // signal to the group, and the one that its parent passes on. The previous handlers come back
  // when serve() returns.
  bool signals = true;
  // The handler's connections share state through channels or memory: `process` and `prefork` are
  // refused, since nothing is shared there.
  bool shares_memory = false;
  // Binding anything but this machine's own addresses is refused without it.
  bool allow_public = false;
  serve_stop* stop = nullptr;
  listen_options sockets = {};
  engine_options engine = {};
  // Called once all addresses listen and all threads of a pool run, on the thread that called
  // serve(), before anything is accepted.
  std::function<void(const model_choice&, const std::vector<endpoint>&)> on_listening = {};
  // One line, without a newline, safe to print (one_line.hpp) whatever a peer or an exception has
  // put into it; any thread; at most about one a second and cause.
  std::function<void(std::string_view)> log = {};
};

struct serve_report {
  std::uint64_t connections = 0;  // served, over all workers
  std::uint64_t handler_failures = 0;  // handlers that threw; process: that crashed
  std::uint64_t accept_pauses = 0;  // no descriptor, no memory, or connections_max reached
  std::uint64_t children_restarted = 0;  // prefork: workers that ended and were started again
  // Lost by the drain: still busy when drain_timeout was over, or in a worker that crashed then.
  std::uint64_t connections_cancelled = 0;
  std::uint64_t connections_left = 0;  // of those, left behind: they hang in a call
};

// Returns when it was asked to stop and has drained, or when it cannot start (also for want of
// memory or threads): the message says why in one line. Combinations that cannot work are refused
// (blocking/shared: one client at a time).
[[nodiscard]] std::expected<serve_report, error> serve(handler h, const serve_options& options);

// The same as a program's main: prints `listening on ADDRESS (MODEL)` a line each, and on failure
// one line on standard error. The exit status: 0 drained, 1 failed.
[[nodiscard]] int serve_main(handler h, serve_options options);

}  // namespace iolite

// A server that runs, as its handlers and the tasks beside it see it.
//
//   iolite::task<> chat(iolite::stream peer, iolite::serving& server) {
//     ...                                  // until recv() gives the end of the stream
//     if (server.draining()) co_await peer.send_all("the server is going down\n");
//   }
#pragma once
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace iolite {

// What a server has done so far, over all its workers and processes.
struct serve_report {
  std::uint64_t connections = 0;  // given to a handler
  std::uint64_t handler_failures = 0;  // handlers that threw or, under `process`, crashed
  std::uint64_t accept_pauses = 0;  // for want of descriptors or memory, or at connections_max
  std::uint64_t children_restarted = 0;  // prefork: workers that ended and were replaced
  // Connections that the drain lost: still busy after drain_timeout, or in a worker that crashed.
  std::uint64_t connections_cancelled = 0;
  std::uint64_t connections_left = 0;  // the part of them that was abandoned in a hanging call
  std::uint64_t connections_now = 0;  // that have not ended yet
  std::uint64_t connections_refused = 0;  // by serve_options::on_accept
  // Receives and sends that a limit of their connection ended: serve_options::idle_timeout,
  // connection_timeout, rate_min, or those that the handler has set in their place.
  std::uint64_t transfers_timed_out = 0;
};

// Each process of the server has one, which outlives the handlers and tasks that run there. Any
// thread may use it. It is an interface so that a test can implement it, and run a handler without
// a server.
class serving {
 public:
  serving() noexcept = default;
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;

  // Whether the server has been told to stop. A handler that waits for its peer then sees the end
  // of the stream; it can still send.
  [[nodiscard]] virtual bool draining() const noexcept = 0;
  // co_await: returns when the server has been told to stop, at once if it has been; an error when
  // cancelled or timed out.
  [[nodiscard]] virtual task<result<void>> drain_begins() = 0;
  // The counters of all processes, now. Each is right, but they are read one after the other.
  [[nodiscard]] virtual serve_report report() const noexcept = 0;

 protected:
  ~serving() = default;
};

namespace detail {

template <class F, class... Args>
concept serves = std::is_invocable_r_v<task<void>, F&, Args..., serving&> ||
                 std::is_invocable_r_v<task<void>, F&, Args...>;

// `f`, which may leave out its last parameter, the server.
template <class... Args, class F>
[[nodiscard]] auto with_server(F f) {
  if constexpr (std::is_invocable_r_v<task<void>, F&, Args..., serving&>) {
    return f;
  } else {
    return [f = std::move(f)](Args... args, serving&) mutable { return f(std::move(args)...); };
  }
}

}  // namespace detail

// What the program runs on the engine of a server: anything that can be called as `task<> f()` or
// `task<> f(serving& server)`. It is kept until its task has ended: a lambda with captures may be a
// coroutine.
class server_task : public std::function<task<void>(serving&)> {
 public:
  server_task() noexcept = default;
  template <class F>
    requires(!std::is_base_of_v<server_task, std::remove_cvref_t<F>> &&
             detail::serves<std::decay_t<F>>)
  server_task(F&& f)  // NOLINT(google-explicit-constructor): as std::function
      : function(detail::with_server<>(std::decay_t<F>(std::forward<F>(f)))) {}
};

// How many instances of a task run, under each placement (N: serve_options::workers):
//
//               shared  thread  process  pool  blocking/pool  prefork
//   process     1       1       1        1     1              N
//   loop        1       1       1        N     1              N
//   server      1       1       1        1     1              1
//
// One per process is for what handlers read in memory, for instance a cache; one per loop for what
// belongs to an engine, for instance a connection that the handlers of a loop share; one per server
// for what should happen once, for instance a line of statistics.
enum class once_per : std::uint8_t { process, loop, server };

// A task beside the connections: serve_options::beside.
//
// It starts when the server is up, before the first connection is accepted, on the engine that
// accepts connections. Under `shared`, `pool` and `prefork` the handlers run on the same engine,
// unless that is `blocking`. Under `thread`, `process` and blocking/pool they have threads or
// processes of their own, and the task has an event loop (poll); under blocking/prefork it has a
// thread. Under `process` it is in the parent: a connection sees what the task had in memory when
// it came, and inherits its open descriptors. When a worker of `prefork` is replaced, its tasks
// start anew.
//
// It goes on during a drain, is cancelled when the last connection has ended, and has ended when
// serve() returns. One that goes on for a second after its cancel is abandoned like a hanging
// handler (serve_options::drain_timeout). An exception ends this task only, and is logged as one
// line.
struct task_beside {
  server_task run;
  once_per per = once_per::process;
};

}  // namespace iolite

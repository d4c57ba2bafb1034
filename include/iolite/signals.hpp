// Signals as values: signal(7).
//
//   iolite::signals caught({SIGHUP, SIGUSR1});
//   for (;;) {
//     const auto number = co_await caught.next();  // result<int>; `| within(5s)` bounds it
//     if (!number) co_return;                      // cancelled
//     if (*number == SIGHUP) reload();
//   }
//
// From its construction to its end the object catches its signals. What the program had them do
// before (end it, an ignored one, a handler of its own) is suspended meanwhile and put back by the
// last of several objects; SIGINT and SIGTERM also stop the serve() that runs, as ever.
//
// - Each object of a signal is told of each of its deliveries. Of several tasks that wait in next()
//   of one object, all are told; one that came while none waited goes to the next that asks. A task
//   that may miss nothing has an object of its own.
// - As in the kernel, deliveries of one number are not counted: those that come before the first
//   was asked for are one. After SIGCHLD reap all children there are: waitpid(2) with WNOHANG. Of
//   several numbers the lowest comes first.
// - A signal that every thread of the program blocks is not delivered to anybody.
// - System calls that a signal interrupts are restarted where signal(7) says they can be.
// - A child of fork(2) has none of its parent's objects: a signal does there what it did before the
//   parent caught it. It makes objects of its own; using one of its parent's stops it. In the
//   children of `process` and `prefork` a signal that the parent has caught does nothing, unless
//   they catch it, too. execve(2) resets what is caught: so do programs that are started.
//
// Any thread, any engine. A cancelled next() has taken nothing. Destroying it while a task waits
// stops the program. In a simulated world the signals are those of the program's own process there.
#pragma once
#include "iolite/core/awaitable.hpp"
#include "iolite/result.hpp"

#include <coroutine>
#include <initializer_list>
#include <memory>

namespace iolite {

class kernel;

namespace detail {
class signal_inbox;
}

class signals {
 public:
  class next_operation;

  // Numbers of <csignal>. Stops the program for those that cannot be caught or that are not the
  // program's to catch: SIGKILL and SIGSTOP; SIGBUS, SIGFPE, SIGILL and SIGSEGV, whose cause a
  // handler returns to; SIGIO and SIGRTMIN + 4, which the engine `signal` takes for itself. Throws
  // std::bad_alloc, and std::system_error where sigaction(2) fails.
  signals(std::initializer_list<int> numbers);
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;
  ~signals();

  // co_await: result<int>, the number of a signal that was delivered. An error only when cancelled
  // or timed out.
  [[nodiscard]] next_operation next() noexcept;

 private:
  std::unique_ptr<detail::signal_inbox> inbox_;
};

// Completes with the number of the next signal; see signals::next().
class signals::next_operation : public awaitable_operation {
 public:
  explicit next_operation(detail::signal_inbox& from) noexcept : from_(from) {}
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    return wait(h, h.promise().ctx());
  }
  [[nodiscard]] result<int> await_resume() noexcept;

 private:
  bool wait(std::coroutine_handle<> h, const context& c) noexcept;

  detail::signal_inbox& from_;
  kernel* os_ = nullptr;
};

inline signals::next_operation signals::next() noexcept { return next_operation(*inbox_); }

}  // namespace iolite

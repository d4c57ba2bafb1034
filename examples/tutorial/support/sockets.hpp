// For the programs that do I/O by hand, with a selector or with nothing: a listener to begin with,
// and a polite end on ^C. The others leave both to iolite::serve().
#pragma once
#include <csignal>
#include <functional>
#include <string>
#include <string_view>

namespace tutorial {

// A non-blocking listening TCP socket, closed with the program. It prints `listening on ADDRESS`;
// when it cannot listen, one line says why and the program ends with 1.
[[nodiscard]] int listen_on(const std::string& address);

// From now on SIGINT and SIGTERM call `wake`, in a signal handler: it may do what
// signal-safety(7) allows, which a selector's wake() is. SIGPIPE is ignored.
void on_stop(std::function<void()> wake);
// Whether one of them has come.
[[nodiscard]] bool stopped() noexcept;

// Blocks SIGINT and SIGTERM in this thread and those that it starts, so that sigtimedwait(2) can
// take them. Gives the two.
[[nodiscard]] sigset_t hold_stop_signals();

// A line that is seen at once, also through a pipe.
void say(std::string_view line);

}  // namespace tutorial

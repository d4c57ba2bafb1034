// serve() in a process of its own, as it runs in life: addresses, log and report come through a
// socket.
#pragma once
#include "iolite/iolite.hpp"
#include "support/sockets.hpp"

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace iolite_test {

class served {
 public:
  // What the process does: iolite::serve, or the same on another kernel.
  using serving = std::function<std::expected<iolite::serve_report, iolite::error>(
      iolite::handler, const iolite::serve_options&)>;

  // Forks; returns when it listens, or when it has failed. `before` runs in the new process first.
  // Takes model, listen and what else is wanted from `options`; log is its own, and its
  // on_listening calls theirs first, in the new process.
  served(iolite::handler h, iolite::serve_options options, const std::function<void()>& before = {},
         const serving& how = iolite::serve);
  served(const served&) = delete;
  served& operator=(const served&) = delete;
  ~served();

  [[nodiscard]] bool listening() const noexcept { return !at_.empty(); }
  [[nodiscard]] const std::vector<iolite::endpoint>& addresses() const noexcept { return at_; }
  [[nodiscard]] const iolite::endpoint& at(std::size_t i = 0) const { return at_.at(i); }
  // The line serve() failed with.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // After its end: no process that it started is left.
  [[nodiscard]] bool left_nothing_running() const noexcept;
  [[nodiscard]] raw_socket connect(std::size_t i = 0) const { return raw_socket::connect(at(i)); }

  void signal(int number) const noexcept;
  // To it and all processes that it has started.
  void signal_all(int number) const noexcept;
  // Waits for the end: the exit status, or minus the signal that ended it.
  int wait();
  int stop(int number) {
    signal(number);
    return wait();
  }
  // After wait().
  [[nodiscard]] const iolite::serve_report& report() const noexcept { return report_; }
  [[nodiscard]] const std::vector<std::string>& log() const noexcept { return log_; }

 private:
  bool read_line(std::string& line);
  void understand(const std::string& line);

  pid_t pid_ = -1;
  pid_t group_ = -1;
  raw_socket told_;
  std::string unread_;
  std::vector<iolite::endpoint> at_;
  std::vector<std::string> log_;
  std::string error_;
  iolite::serve_report report_;
};

// The processes a process has started and not yet reaped, those that have ended included.
struct child_processes {
  int living = 0;
  int zombies = 0;
};
[[nodiscard]] child_processes children_of(pid_t process);

// The signal is not pending any more: its handler runs, or has run.
[[nodiscard]] bool signal_was_taken(pid_t process, int number);

}  // namespace iolite_test

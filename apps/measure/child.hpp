// A child process that cannot outlive its use: started, watched, ended.
#pragma once
#include "iolite/clock.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace iolite::app {

struct child_exit {
  int status = 0;     // as wait(2) gives it
  rusage used = {};   // of it and of the children it has waited for
};

// What /proc says of a process and its direct children together.
struct process_sample {
  std::uint64_t threads = 0;
  std::uint64_t peak_rss_bytes = 0;  // of the process itself, since it was started
  std::vector<pid_t> children;
};

class child {
 public:
  // Runs this program again with `arguments`, and "--report-fd N" after them: N is a pipe to here.
  // Standard output goes nowhere, standard error is kept. `cores`: where it may run; null: where
  // this process may.
  [[nodiscard]] static std::expected<child, std::string> start(std::vector<std::string> arguments,
                                                               const cpu_set_t* cores);
  // Runs `command`, which has a name at least, looked for in PATH. Standard output goes nowhere,
  // standard error stays that of this process.
  [[nodiscard]] static std::expected<child, std::string>
  start_command(std::vector<std::string> command, const cpu_set_t* cores);
  child(child&& other) noexcept;
  child& operator=(child&&) = delete;
  ~child();  // kills what is left

  // The next line of the report; nothing when there is none until `limit` has passed or it ended.
  [[nodiscard]] std::optional<std::string> read_line(clock::duration limit);
  [[nodiscard]] pid_t id() const noexcept { return process_; }  // -1: it has ended
  // How, where it has ended by itself, or does within `limit`.
  [[nodiscard]] std::optional<child_exit> ended(clock::duration limit = clock::duration::zero());
  // Sends SIGTERM, and SIGKILL when that did not help within `limit`.
  [[nodiscard]] child_exit stop(clock::duration limit);
  [[nodiscard]] process_sample sample() const;
  // Proportional set sizes of the process and its children: what they use together. Slow.
  [[nodiscard]] std::uint64_t shared_rss_bytes(const std::vector<pid_t>& children) const;
  // The first line on standard error.
  [[nodiscard]] std::string complaint() const;

 private:
  [[nodiscard]] static std::expected<child, std::string>
  start_process(std::vector<std::string> arguments, const cpu_set_t* cores, bool this_program);
  child(pid_t process, int report, int complaints) noexcept
      : process_(process), report_(report), complaints_(complaints) {}
  [[nodiscard]] bool ended_within(clock::duration limit, child_exit& out);
  void kill_all() noexcept;

  pid_t process_ = -1;  // -1: waited for
  int report_ = -1;
  int complaints_ = -1;  // a file in memory
  std::string unread_;
};

}  // namespace iolite::app

// Runs a piece of a test in a forked child, and tells how it ended and what it wrote.
#pragma once
#include <functional>
#include <string>
#include <sys/types.h>

namespace iolite_test {

struct child_end {
  int exit_status = -1;      // -1: ended by a signal
  int ended_by_signal = 0;
  std::string errors;        // its standard error
};

// `body` is over within 30 s, or ended by SIGALRM. Its failed expectations make the status 1.
[[nodiscard]] child_end run_in_child(const std::function<void()>& body);

// The test that is running, from its begin in a new process; its failures become this one's.
void run_this_test_elsewhere();

// The child stops by SIGABRT after one line on standard error that contains `words`.
void expect_stops(const std::function<void()>& body, const char* words);

// Processor time this process, or another one, has used so far.
[[nodiscard]] double cpu_seconds();
[[nodiscard]] double cpu_seconds(pid_t process);

}  // namespace iolite_test

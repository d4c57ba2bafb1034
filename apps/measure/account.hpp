// What a server uses, of which only its process is known: from outside, as the system counts.
//
// CPU time is that of all threads of the process, living and dead, the kernel's io_uring workers
// (since Linux 5.12 threads of it) included: clock_getcpuclockid(3), in nanoseconds. Children count
// too, with theirs; one that ends while it is watched counts by the clock ticks of its parent's
// `cutime`. Switches are those of threads that live. See proc_pid_stat(5).
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

namespace iolite::app {

struct account {
  double cpu_us = 0;
  double user_us = 0;  // in clock ticks, 10 ms: how CPU splits over a second or more
  double system_us = 0;  // likewise
  std::uint64_t context_switches = 0;
  std::uint64_t rss_bytes = 0;  // of processes the sum
  std::uint64_t threads = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t processes = 0;
};

// The process and all that it has forked. The error: there is no such process, or it has ended.
[[nodiscard]] std::expected<account, std::string> account_of(pid_t process);

// Of /proc: `Key:   123 kB` in the text of a file; 0 without.
[[nodiscard]] std::uint64_t number_after(const std::string& text, std::string_view key);
[[nodiscard]] std::string whole_file(const std::string& path);
// Its direct children.
[[nodiscard]] std::vector<pid_t> children_of(pid_t process);

}  // namespace iolite::app

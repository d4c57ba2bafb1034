// The children of a server, as their supervisor knows them.
#pragma once
#include "iolite/task.hpp"
#include "kernel/kernel.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace iolite {

class child_processes {
 public:
  explicit child_processes(kernel& os) noexcept : os_(os) {}
  child_processes(const child_processes&) = delete;
  child_processes& operator=(const child_processes&) = delete;

  // Forks: see kernel::fork(). `body` uses what it owns, what never changes and what is in shared
  // memory, so that it does not matter whether a fork copies the rest. Signals are held back until
  // the child has said what they mean: see stop_signals. The child does not outlive this process:
  // nobody would be left to bound its drain. Its number, or -errno. Throws std::bad_alloc.
  [[nodiscard]] int start(kernel::child_body body);
  // The status of child `pid`, once it has ended. Called before start(), awaited after it, so that
  // no child is left for want of memory.
  [[nodiscard]] task<int> end_of(const int& pid);
  void tell(int signal) noexcept;
  [[nodiscard]] std::size_t living() const noexcept { return all_.size(); }

 private:
  struct child {
    int pid;
    int fd = -1;  // its pidfd
  };
  kernel& os_;
  std::vector<child> all_;
};

[[nodiscard]] std::string how_it_ended(int status);
[[nodiscard]] bool is_well(int status) noexcept;

}  // namespace iolite

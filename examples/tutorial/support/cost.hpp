// What a server costs the system, as the system itself tells it: see proc(5).
#pragma once
#include <string>

namespace tutorial {

struct cost {
  int processes = 0;
  int threads = 0;
  // Stacks, heaps and variables; what processes share is counted once. Neither the code is in it,
  // which others may share as well, nor what the kernel holds for them: sockets, its own stacks.
  long memory_kib = 0;

  // Of a process and its children, now.
  [[nodiscard]] static cost of(int process);
  // One line: what there is now, and what each of the connections has added to `before`.
  [[nodiscard]] std::string report(const cost& before, int connections) const;
};

}  // namespace tutorial

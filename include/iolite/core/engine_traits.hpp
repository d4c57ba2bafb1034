// What tells engines apart, and what one has done.
#pragma once
#include <cstdint>

namespace iolite {

// In what way engines differ. Tests and docs/semantics.md read it; nothing asks for an engine's
// name.
struct engine_traits {
  bool blocking = false;  // a waiting operation holds its thread; each task takes a thread
  bool picks_buffer = false;  // the kernel itself chooses the buffer of a recv_lease()
  bool needs_nonblocking = false;  // descriptors must have O_NONBLOCK
  bool own_descriptors = false;  // its sockets have numbers that mean something to it alone
  bool files = false;  // reads and writes regular files itself; elsewhere a helper thread does
  bool after_fork = true;  // a child of fork(2) may make one although its parent has used one
  int fd_limit = 0;  // descriptors must be below this; 0: no limit
};

// What an engine has done since it was made. Counts; read on the engine's thread.
struct engine_stats {
  std::uint64_t started = 0;
  std::uint64_t inline_completions = 0;  // finished inside start()
  std::uint64_t waits = 0;  // times the loop asked its facility
  std::uint64_t spins = 0;  // before sleeping it asked again for a while
  std::uint64_t spins_in_vain = 0;  // and slept in the end
  std::uint64_t stale_events = 0;  // for a descriptor closed since, dropped
  std::uint64_t spurious_events = 0;  // said ready, then would block
  std::uint64_t missed_events = 0;  // ended by a second look: the facility had not told
  std::uint64_t starved_receives = 0;  // had to wait for a buffer of the pool
  std::uint64_t multishot_receives = 0;  // brought by one that stands: engine_options::receiving
};

}  // namespace iolite

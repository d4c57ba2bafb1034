// What the signal pollers do to their thread: see signal_thread in kernel/thread_state.hpp.
#pragma once
#include "kernel/kernel.hpp"
#include "kernel/thread_state.hpp"

#include <span>

namespace iolite {

[[nodiscard]] signal_thread& this_signal_thread() noexcept;

// Blocks them in this thread, once for each poller. 0 or -errno.
int block_signals(kernel& os, std::span<const int> signals) noexcept;
// The last poller that needs a signal blocked here unblocks it, and drops what is still queued: the
// default action of each of them ends the program.
void unblock_signals(kernel& os, std::span<const int> signals) noexcept;

// What the signals of a file are worth.
enum class sender : std::uint8_t {
  precise,  // a socket: each change sends one, and si_band says which change it was
  // A pipe or FIFO: each change sends one, but si_band may be wrong. When the reader closes, the
  // writer is told POLL_OUT, where poll(2) says POLLERR.
  vague,
  // Anything else. A terminal sends none when it is hung up, eventfd(2) none at all.
  unreliable,
};

struct armed {
  int error = 0;  // or -errno
  sender kind = sender::unreliable;
  bool twice = false;  // it was armed already, through another number of the same file
};

// Signal `number` comes to this thread when `fd` changes, where its file can send any.
armed arm(kernel& os, int fd, int number) noexcept;
void disarm(kernel& os, int fd) noexcept;

}  // namespace iolite

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

enum class armed : std::uint8_t { yes, yes_already, deaf };

// Signal `number` comes to this thread when `fd` changes: `armed` or -errno. `yes_already`: it was
// so for another number of the same file. `deaf`: this kind of file sends no signals.
int arm(kernel& os, int fd, int number) noexcept;
void disarm(kernel& os, int fd) noexcept;

}  // namespace iolite

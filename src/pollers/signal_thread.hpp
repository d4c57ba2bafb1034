// What the signal pollers of one thread share: which signals wait there, blocked, and how often the
// news of one may have been taken by another. Not in it: who is watched, which each poller knows.
#pragma once
#include "kernel/kernel.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace iolite {

struct signal_thread {
  std::uint64_t id = 0;  // never used again, unlike addresses and tids
  std::uint64_t taken = 0;  // signals taken from the queue, by whichever poller
  std::uint64_t disarmed = 0;  // O_ASYNC taken away, perhaps from under another poller
  std::array<std::uint16_t, NSIG> pollers{};  // that need this signal blocked
  std::array<bool, NSIG> ours{};  // it was not blocked before them
};
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

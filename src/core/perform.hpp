// One description of an operation, one plain system call: phase 2 of every engine that makes the
// call itself.
#pragma once
#include "iolite/core/operation.hpp"
#include "kernel/kernel.hpp"
#include "kernel/poll_bits.hpp"

#include <algorithm>
#include <climits>
#include <cstddef>

namespace iolite {

// How the descriptor may be treated: `nonblocking` gives -EAGAIN instead of waiting.
enum class wait_in_call : bool { no, yes };

// Makes the call `op` describes, from op.moved on. >= 0 or -errno; -EAGAIN: would wait; never
// -EINTR. accept gives close-on-exec sockets, non-blocking ones if `nonblocking_sockets`.
[[nodiscard]] int perform(kernel& os, operation& op, wait_in_call wait,
                          bool nonblocking_sockets) noexcept;

// The same for any operation; a receive that picks its buffer goes where `on`'s pool has room.
// -ENOBUFS: it has none.
[[nodiscard]] int perform_on(engine& on, operation& op, wait_in_call wait) noexcept;
// The same without waiting, where `op` may name a direct descriptor.
[[nodiscard]] int perform_exposed(engine& on, operation& op) noexcept;

// What is left to be moved, as far as one call moves it: the kernel caps a transfer at 2 GiB minus
// a page, and an int holds that. read(2), NOTES.
[[nodiscard]] inline std::size_t left_of(const operation& op) noexcept {
  return std::min<std::size_t>(op.size - op.moved, INT_MAX & ~4095);
}

// What an operation waits for.
[[nodiscard]] interest interest_of(const operation& op) noexcept;

}  // namespace iolite

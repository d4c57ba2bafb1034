// The errors each system call can give, by its man page: what the torture suite makes it give.
#pragma once
#include "kernel/calls.hpp"

#include <span>

namespace iolite_test {

// Empty: a call that cannot fail, or whose failure means a broken program.
[[nodiscard]] std::span<const int> errnos_of(iolite::call c) noexcept;
// The same for what a completion of an io_uring can say, by its opcode.
[[nodiscard]] std::span<const int> errnos_of_completion(unsigned opcode) noexcept;
// Whether it moves bytes, and may move fewer.
[[nodiscard]] bool can_be_cut(unsigned opcode) noexcept;

}  // namespace iolite_test

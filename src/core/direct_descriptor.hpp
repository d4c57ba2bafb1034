// How a direct descriptor, a slot in the table of an io_uring, is told from an ordinary one: by a
// bit in its number that no descriptor of the system has, since memory holds no table so large. A
// system call that gets one by mistake fails with EBADF. Made and understood by these only.
#pragma once

namespace iolite::direct {

constexpr int mark = 1 << 30;

[[nodiscard]] constexpr bool is(int fd) noexcept { return fd >= mark; }
[[nodiscard]] constexpr int number_of(int slot) noexcept { return mark | slot; }
[[nodiscard]] constexpr int slot_of(int fd) noexcept { return fd & ~mark; }

}  // namespace iolite::direct

// The vocabulary of poll(2), which epoll(7), io_uring(7) and F_SETSIG share on Linux.
#pragma once
#include "iolite/interest.hpp"

#include <poll.h>

namespace iolite {

[[nodiscard]] constexpr short poll_bits(interest wanted) noexcept {
  return static_cast<short>((has(wanted, interest::read) ? POLLIN : 0) |
                            (has(wanted, interest::write) ? POLLOUT : 0));
}

// Neither a receive nor a send would block on a hang-up or an error: both say so at once.
[[nodiscard]] constexpr interest from_poll_bits(int bits) noexcept {
  constexpr int over = POLLERR | POLLHUP;
  return ((bits & (POLLIN | over)) != 0 ? interest::read : interest::none) |
         ((bits & (POLLOUT | over)) != 0 ? interest::write : interest::none);
}

}  // namespace iolite

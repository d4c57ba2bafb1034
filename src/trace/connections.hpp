// The two ends of a connection, and what the kernel stamps on what is sent.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/result.hpp"
#include "kernel/kernel.hpp"

#include <optional>
#include <utility>

namespace iolite::trace {

struct connected_pair {
  int peer = -1;  // sends the message
  int ours = -1;  // waits for it
};

// TCP over loopback, without Nagle's delay, or a unix socket pair. What our end waits for is whole:
// it is not ready before `bytes` are there (SO_RCVLOWAT). The peer's transmissions are stamped.
[[nodiscard]] result<connected_pair> connect_pair(kernel& os, bool over_unix, std::size_t bytes);

// CLOCK_REALTIME minus CLOCK_MONOTONIC, to some 40 ns: the narrowest of several brackets.
[[nodiscard]] clock::duration wall_minus_monotonic(kernel& os);

// The newest stamp of what was sent on `fd`, on the wall clock: when it was handed over. Nothing
// where the socket stamps nothing. Only when poll(2) says POLLERR: sockets without an error queue
// would give data. timestamping.rst of the kernel.
[[nodiscard]] std::optional<clock::duration> take_transmit_stamp(kernel& os, int fd);

}  // namespace iolite::trace

// From what was recorded of one exchange to its phases. Pure: no clock, no system.
//
// No engine is asked for its name. Which call brought the data says what shape the exchange has:
//   a receive of the thread's own on the descriptor    it copied; the call before that reported the
//                                                      descriptor ready, if there is one, ended
//                                                      phase 1, else the receive waited itself
//   aio_read                                           a helper copied
//   neither                                            the kernel copied, within io_uring_enter
#pragma once
#include "iolite/trace.hpp"
#include "trace/events.hpp"

namespace iolite::trace {

// Nothing where no call tells how the data came.
[[nodiscard]] std::optional<exchange> phases_of(const recording& r);

}  // namespace iolite::trace

// What an operation is as a submission: io_uring_enter(2).
#pragma once
#include "iolite/core/operation.hpp"

#include <cstdint>
#include <linux/io_uring.h>

namespace iolite {

class gather_room;
class ring;

namespace submissions {

// What the engine has decided, or has for it.
struct ways {
  ring& to;
  gather_room& pieces;
  bool into_slot;  // what an accept brings
  bool lends;  // the kernel has buffers for what picks its buffer
};

// `sqe` is cleared, and the newest of those that wait. Its user_data is the caller's.
void fill(io_uring_sqe& sqe, const operation& op, ways w) noexcept;
void fill_poll(io_uring_sqe& sqe, unsigned events) noexcept;
// A request that the one with `tag` ends early.
void fill_cancel(io_uring_sqe& sqe, std::uint64_t tag) noexcept;

}  // namespace submissions
}  // namespace iolite

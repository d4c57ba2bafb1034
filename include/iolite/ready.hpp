// Waits until a descriptor that the library does not own is ready. This drives foreign libraries:
//
//   co_await iolite::ready(PQsocket(connection), iolite::interest::read);
//
// The descriptor stays the caller's: nothing is read, and it may be closed once no wait is pending.
//
// On every engine any number of ready() may wait on one descriptor, for the same events or for
// different ones, also beside a pending receive, send or accept. All of them end when it becomes
// ready. If a pending receive has already taken the data when ready() looks, ready() waits on.
// "Ready" is what poll(2) reports. The next call may still find nothing because another reader was
// faster, so make the descriptor non-blocking.
//
// Closing or releasing a stream or listener ends every ready() on its descriptor with
// operation_canceled. On the blocking engine they wait in their own threads and continue.
#pragma once
#include "iolite/result.hpp"
#include "iolite/task.hpp"

namespace iolite {

// co_await: result<interest>. ready() makes it.
class ready_operation : public awaitable_operation {
 public:
  ready_operation(int descriptor, interest what) noexcept {
    kind = op_kind::ready;
    fd = descriptor;
    wanted = what;
  }
  // The part of the requested events that is ready. A hang-up or error counts as all of them.
  result<interest> await_resume() noexcept {
    const int r = end();
    if (r < 0) return failure(r);
    return static_cast<interest>(r);
  }
};

[[nodiscard]] inline ready_operation ready(int descriptor, interest what) noexcept {
  return {descriptor, what};
}

}  // namespace iolite

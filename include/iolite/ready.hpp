// Waits until a descriptor of somebody else's is ready, so that foreign libraries can be driven:
//
//   co_await iolite::ready(PQsocket(connection), iolite::interest::read);
//
// The descriptor stays the caller's: nothing is read, and it may be closed once no wait is pending.
//
// On every engine any number of ready() may wait on one descriptor, for the same events or for
// others, and also beside a pending receive, send or accept. They end together when it becomes
// ready. What a receive beside it takes may already be gone when ready() looks: then it waits on.
// Ready means what poll(2) says, so the next call may still find nothing when somebody else was
// faster: make the descriptor non-blocking.
//
// Closing or releasing a stream or listener ends those that wait on its descriptor with
// operation_canceled; on the blocking engine they are in threads of their own, and go on.
#pragma once
#include "iolite/result.hpp"
#include "iolite/task.hpp"

namespace iolite {

class ready_operation : public awaitable_operation {
 public:
  ready_operation(int descriptor, interest what) noexcept {
    kind = op_kind::ready;
    fd = descriptor;
    wanted = what;
  }
  // What is ready of what was asked for (a hang-up or error is all of it).
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

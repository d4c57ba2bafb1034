// Waits until a descriptor of somebody else's is ready, so that foreign libraries can be driven:
//
//   co_await iolite::ready(PQsocket(connection), iolite::interest::read);
//
// The descriptor stays the caller's: nothing is read, and it may be closed once no wait is pending.
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

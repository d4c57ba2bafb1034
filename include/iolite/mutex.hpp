// Lets one task at a time do something that takes several awaits, on any engines and threads:
//
//   iolite::mutex writing;
//   {
//     const auto held = co_await writing.lock();   // result<mutex::guard>; waits for its turn
//     if (!held) co_return;                         // cancelled, or timed out
//     co_await peer.send_all(head);
//     co_await peer.send_all(body);
//   }                                               // the next one has its turn
//
// First come, first served. Where nothing is awaited in between, std::mutex is enough; held over a
// co_await that one would hold the thread, and so the loop. Not recursive. It is a semaphore of
// one: what semaphore.hpp says of threads, cancel and the end holds here, too.
#pragma once
#include "iolite/semaphore.hpp"

namespace iolite {

class mutex {
 public:
  using guard = semaphore::permit;

  // co_await: result<guard>.
  [[nodiscard]] semaphore::acquire_operation lock() noexcept { return one_.acquire(); }
  // An empty one: it is held.
  [[nodiscard]] guard try_lock() noexcept { return one_.try_acquire(); }

 private:
  semaphore one_{1};
};

}  // namespace iolite

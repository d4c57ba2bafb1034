// Threads of one's own for calls that block, beside those that offload() and files share:
//
//   iolite::worker_pool resizing({.threads = 4, .queue_max = 100, .name = "resize"});
//   auto picture = co_await resizing.run([&] { return resize(bytes); });   // result<image>
//
// On every engine, also on `blocking`, the calls run on the threads of the pool, at most `threads`
// at a time, in the order in which they came. Threads are started when needed and end with it.
//
// A call may use what the awaiting task has, so that waits until the call is over, also when it is
// cancelled: a cancel, or a limit, ends only calls that have not begun. What the call throws comes
// out of the co_await. A call that hangs keeps its thread for good: no other is started in its
// place, as offload() does.
//
// Any thread, any engine. The pool outlives the tasks that await its calls: declared before the
// scope that runs them it does. Destroying it earlier stops the program, and so does using it in a
// child of fork(2), which has none of its threads: make a new one there.
#pragma once
#include "iolite/offload.hpp"
#include "iolite/result.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace iolite {

// How many threads and waiting calls a worker_pool has at most.
struct worker_pool_options {
  unsigned threads = 4;  // 1 to 1024
  // The most calls that wait for a thread; zero: a call needs one that is free.
  std::size_t queue_max = 1000;
  std::string name = {};  // of the threads, for ps(1) and debuggers: the first 15 bytes count
};

class worker_pool {
 public:
  // Stops the program if `threads` is out of its range.
  explicit worker_pool(worker_pool_options options = {});
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;
  // Waits for its threads to end, which have nothing to do any more.
  ~worker_pool();

  // co_await: result of what f() gives. An error, and f was not called: when the line is full
  // (std::errc::no_buffer_space), when the pool has no thread and none can be started
  // (std::errc::resource_unavailable_try_again: RLIMIT_NPROC), when it was cancelled or timed out
  // in line. A task that rather waits for room than fails takes a semaphore.
  template <class F>
  [[nodiscard]] detail::offloaded<F> run(F f) {
    return detail::offloaded<F>(std::move(f), it_.get());
  }

 private:
  std::unique_ptr<detail::helper_pool> it_;
};

}  // namespace iolite

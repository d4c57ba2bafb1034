// Threads that make blocking calls, and the line of calls that wait for one: what offload() and
// worker_pool share. Helpers are started when needed and wait in futex(2), which a simulated kernel
// knows as well.
//
// Whether a call hangs shows only where others wait for its helper. So nobody looks before a call
// is in line and no further helper may be started; then one more thread, the watch, looks whether
// the line moves. It ends with the line. A pool whose `limit` is its `threads` needs none.
#pragma once
#include "iolite/offload.hpp"
#include "kernel/thread.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace iolite {

struct pool_limits {
  unsigned threads;  // at work
  unsigned limit;  // with those in the place of others that hang
  std::size_t queue_max;  // calls that wait for a thread
  std::string name = {};  // of its threads: pthread_setname_np(3)
};

class detail::helper_pool final : public event_source, public kernel::resident {
 public:
  // `joins`: end() waits for the helpers to end.
  helper_pool(kernel& os, pool_limits limits, bool joins);

  // With the lock held: makes sure that a helper will take one more call. 0, or -errno: there is
  // none and none can be started; or -ENOBUFS: the line is full.
  int prepare_one();
  // With the lock held.
  void add(operation& op) noexcept;
  bool forget(operation& op) noexcept override;
  void process_ends() noexcept override;
  // Helpers end when their calls do, and have ended afterwards if it joins. No calls come then.
  void end() noexcept;

  std::mutex lock;
  const unsigned made_after;  // which side of a fork made it
  std::size_t calls = 0;  // of tasks that have not gone on yet; guarded by the lock

 private:
  [[nodiscard]] unsigned most() const noexcept;
  void start_helper();
  void start_watch();
  void help() noexcept;
  void make(offload_operation& op, std::unique_lock<std::mutex>& hold) noexcept;
  operation* await_call(std::unique_lock<std::mutex>& hold) noexcept;
  void tell(unsigned helpers) noexcept;
  void watch() noexcept;
  void pause() noexcept;

  kernel& os_;
  const pool_limits limits_;
  const bool joins_;
  operation_queue line_;
  std::vector<os_thread> to_join_;
  std::uint32_t news_ = 0;  // changes whenever helpers should look: the word of their futex
  std::uint32_t end_ = 0;  // 1 once the process ends: the word of the watch's futex
  std::size_t waiting_ = 0;
  unsigned helpers_ = 0;
  unsigned idle_ = 0;
  unsigned hanging_ = 0;
  std::uint64_t taken_ = 0;  // calls out of the line
  std::uint64_t hangs_seen_ = 0;  // how many times all at work were found to hang
  bool watched_ = false;
  bool ending_ = false;
};

}  // namespace iolite

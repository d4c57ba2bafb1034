// Records one exchange as the thread that waits sees it: the operation's start and end from its
// engine, the calls between them from the kernel. Nothing is allocated while it records.
#pragma once
#include "iolite/observer.hpp"
#include "kernel/traced.hpp"
#include "trace/events.hpp"

#include <atomic>

namespace iolite::trace {

class recorder final : public observer, public traced::sink {
 public:
  // `os` is the kernel that clocks are asked of: not the traced one.
  // Made on the thread that it records.
  explicit recorder(kernel& os);
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;
  ~recorder();

  // The next receive on `fd` is recorded.
  void arm(int fd) noexcept;
  // Any thread: when the armed receive began; min() before that.
  [[nodiscard]] clock::time_point begun() const noexcept {
    return clock::time_point(clock::duration(begun_.load(std::memory_order_acquire)));
  }
  // That receive is over. Its calls, times and processor time.
  [[nodiscard]] bool has_ended() const noexcept { return ended_; }
  void take(recording& out) const;

 private:
  void started(const operation& op) noexcept override;
  void completed(const operation& op) noexcept override;
  void called(call c, const call_args& a, clock::time_point begin, clock::time_point end,
              long result) noexcept override;
  [[nodiscard]] clock::duration cpu() const noexcept;
  [[nodiscard]] clock::duration time_queued() const noexcept;

  static constexpr std::size_t kept = 4096;  // calls, the last ones; a power of two
  static constexpr clock::rep not_begun = clock::time_point::min().time_since_epoch().count();

  kernel& os_;
  const int scheduler_;  // /proc/thread-self/schedstat, or below zero
  std::vector<call_event> calls_;  // a ring
  std::size_t count_ = 0;
  std::uint64_t entering_ = 0;
  int fd_ = -1;
  const operation* watched_ = nullptr;  // under way
  bool ended_ = false;
  clock::time_point started_{}, completed_{};
  clock::duration cpu_started_{}, cpu_completed_{}, queued_started_{}, queued_{};
  std::atomic<clock::rep> begun_ = not_begun;
};

}  // namespace iolite::trace

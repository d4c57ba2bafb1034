// Keeps the SIGPIPE of a write to a peer that is gone from this thread: what the signal does to the
// program, and whether it is blocked, is the program's business. For calls that cannot be told not
// to raise it, as send(2) can. pthread_sigmask(3), signal(7).
#pragma once
#include "kernel/kernel.hpp"

#include <csignal>

namespace iolite {

class pipe_signal_held {
 public:
  explicit pipe_signal_held(kernel& os) noexcept : os_(os) {
    sigemptyset(&it_);
    sigaddset(&it_, SIGPIPE);
    error_ = os_.sigprocmask(SIG_BLOCK, &it_, &before_);
    if (error_ == 0) waited_before_ = waits();
  }
  pipe_signal_held(const pipe_signal_held&) = delete;
  pipe_signal_held& operator=(const pipe_signal_held&) = delete;
  ~pipe_signal_held() {
    if (error_ == 0) os_.sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  // 0, or -errno: it is not kept back.
  [[nodiscard]] int error() const noexcept { return error_; }
  // Takes back what has been raised since. One that the program has blocked, and that waited
  // already, stays: one that is raised then adds nothing to it.
  void take_back() noexcept {
    constexpr timespec at_once{};
    if (error_ == 0 && !waited_before_) os_.sigtimedwait(&it_, nullptr, &at_once);
  }

 private:
  // Where the program does not block it, it cannot wait.
  [[nodiscard]] bool waits() noexcept {
    sigset_t waiting;
    sigemptyset(&waiting);
    if (sigismember(&before_, SIGPIPE) == 1) os_.sigpending(&waiting);
    return sigismember(&waiting, SIGPIPE) == 1;
  }

  kernel& os_;
  sigset_t it_;
  sigset_t before_;
  int error_ = 0;
  bool waited_before_ = false;
};

}  // namespace iolite

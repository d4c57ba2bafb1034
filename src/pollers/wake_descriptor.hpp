// The descriptor that ends a wait: eventfd(2), or pipe(2) where the facility needs it.
#pragma once
#include "kernel/kernel.hpp"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <utility>

namespace iolite {

class wake_descriptor {
 public:
  // An eventfd sends no signals (it has no O_ASYNC), a pipe does.
  enum class kind : std::uint8_t { event, pipe };

  // fd() is -errno when there is none to be had.
  explicit wake_descriptor(kernel& os, kind k = kind::event) noexcept : os_(os) {
    if (k == kind::event) {
      read_ = os.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      return;
    }
    int two[2] = {-1, -1};
    const int r = os.pipe2(two, O_CLOEXEC | O_NONBLOCK);
    read_ = r < 0 ? r : two[0];
    write_ = two[1];
  }
  wake_descriptor(wake_descriptor&& other) noexcept
      : os_(other.os_), read_(std::exchange(other.read_, -1)),
        write_(std::exchange(other.write_, -1)) {}
  ~wake_descriptor() {
    if (read_ >= 0) os_.close(read_);
    if (write_ >= 0) os_.close(write_);
  }

  [[nodiscard]] int fd() const noexcept { return read_; }
  // Any thread, and a signal handler. 0 or -errno.
  int try_signal() noexcept {
    constexpr std::uint64_t one = 1;
    long r = -EINTR;
    while (r == -EINTR) r = os_.write(write_ >= 0 ? write_ : read_, &one, sizeof one);
    return r < 0 && r != -EAGAIN ? static_cast<int>(r) : 0;  // a full pipe is readable too
  }
  // For a loop that would sleep for ever: a write that fails is tried again.
  void signal() noexcept {
    for (int tries = 0; tries < 8; ++tries) {
      if (try_signal() == 0) return;
    }
  }
  void drain() noexcept {
    std::uint64_t some[8];
    long r = -EINTR;
    while (r == -EINTR || r == static_cast<long>(sizeof some)) {
      r = os_.read(read_, some, sizeof some);
    }
  }

 private:
  kernel& os_;
  int read_ = -1;
  int write_ = -1;  // of a pipe
};

}  // namespace iolite

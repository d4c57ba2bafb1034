// The descriptor that ends an engine's wait: eventfd(2).
#pragma once
#include "kernel/kernel.hpp"

#include <cstdint>
#include <memory>
#include <sys/eventfd.h>
#include <utility>

namespace iolite {

class engine;

class wake_descriptor {
 public:
  // fd() is -errno when there is none to be had.
  explicit wake_descriptor(kernel& os) noexcept
      : os_(os), fd_(os.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  wake_descriptor(wake_descriptor&& other) noexcept
      : os_(other.os_), fd_(std::exchange(other.fd_, -1)) {}
  ~wake_descriptor() {
    if (fd_ >= 0) os_.close(fd_);
  }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  // Any thread, and a signal handler. A full counter (EAGAIN) wakes as well.
  void signal() noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(os_.write(fd_, &one, sizeof one));
  }
  void drain() noexcept {
    std::uint64_t count = 0;
    static_cast<void>(os_.read(fd_, &count, sizeof count));
  }

 private:
  kernel& os_;
  int fd_;
};

// What the make_ functions of engines give: empty with -errno when it cannot be made.
struct made_engine {
  std::unique_ptr<engine> it;
  int error = 0;
};

}  // namespace iolite

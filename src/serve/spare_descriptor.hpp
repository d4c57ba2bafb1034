// A descriptor that is kept to be given back when all are in use: a stop needs one to turn away who
// waits in a queue, and each connection that is turned away leaves its number to the next.
#pragma once
#include "kernel/kernel.hpp"

#include <sys/eventfd.h>
#include <utility>

namespace iolite {

class spare_descriptor {
 public:
  // None where `wanted` is false, or where all are in use already.
  explicit spare_descriptor(kernel& os, bool wanted = true) noexcept
      : os_(os), fd_(wanted ? os.eventfd(0, EFD_CLOEXEC) : -1) {}
  spare_descriptor(const spare_descriptor&) = delete;
  spare_descriptor& operator=(const spare_descriptor&) = delete;
  ~spare_descriptor() { static_cast<void>(give_back()); }
  // False: there is none.
  [[nodiscard]] bool give_back() noexcept {
    if (fd_ < 0) return false;
    os_.close(std::exchange(fd_, -1));
    return true;
  }

 private:
  kernel& os_;
  int fd_;
};

}  // namespace iolite

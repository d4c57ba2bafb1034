// The descriptor that ends an engine's wait: eventfd(2), or pipe(2) where the facility needs it.
#pragma once
#include "iolite/engine.hpp"
#include "kernel/kernel.hpp"

#include <cstdint>
#include <fcntl.h>
#include <memory>
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
  // Any thread, and a signal handler. A lost wake-up would be a loop that sleeps for ever: a write
  // that fails is tried again. (A full pipe, EAGAIN, wakes as well.)
  void signal() noexcept {
    const std::uint64_t one = 1;
    for (int tries = 0; tries < 8; ++tries) {
      if (os_.write(write_ >= 0 ? write_ : read_, &one, sizeof one) > 0) return;
    }
  }
  void drain() noexcept {
    std::uint64_t counts[8];
    static_cast<void>(os_.read(read_, counts, sizeof counts));
  }

 private:
  kernel& os_;
  int read_ = -1;
  int write_ = -1;  // of a pipe
};

// What the make_ functions of engines give: empty with -errno when it cannot be made.
struct made_engine {
  std::unique_ptr<engine> it;
  int error = 0;
};

}  // namespace iolite

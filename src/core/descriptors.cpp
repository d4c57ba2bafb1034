// What an engine does for descriptors apart from operations on them, by the parts that its backend
// has: see engine_parts.hpp.
#include "iolite/core/buffer.hpp"
#include "iolite/core/engine.hpp"
#include "iolite/system_descriptor.hpp"
#include "kernel/kernel.hpp"

#include <cerrno>

namespace iolite {

// A child of fork(2) shares the facility with its parent, who still uses it: nothing is taken off.
void engine::forget(int fd) noexcept {
  if (is_parents()) return;
  if (buffers_) buffers_->forget(fd);
  if (parts_.descriptors) parts_.descriptors->forget(fd);
}

void engine::close(int fd) noexcept {
  forget(fd);
  if (!is_parents() && parts_.table && parts_.table->close(fd)) return;
  os_.close(fd);
}

bool engine::take_nothing_ahead(int fd) noexcept {
  return is_parents() || !parts_.backlog || parts_.backlog->stop(fd);
}

std::size_t engine::arrived_ahead(int fd) noexcept {
  return parts_.backlog ? parts_.backlog->stop_and_count(fd) : 0;
}

int engine::adopt(int fd) noexcept {
  return fd >= 0 && parts_.table ? parts_.table->adopt(fd) : fd;
}

int engine::expose(int fd) noexcept { return parts_.table ? parts_.table->expose(fd) : fd; }

std::unique_ptr<engine> engine::for_child_thread() {
  return parts_.children ? parts_.children->make() : nullptr;
}

system_descriptor::system_descriptor(engine& on, int fd) noexcept
    : on_(on), number_(fd < 0 ? -EBADF : on.expose(fd)), made_(number_ >= 0 && number_ != fd) {}

system_descriptor::~system_descriptor() {
  if (made_) on_.os().close(number_);
}

}  // namespace iolite

// See submitter.hpp.
#include "engines/io_uring/submitter.hpp"

#include "base/assert.hpp"
#include "engines/io_uring/submissions.hpp"

namespace iolite {

// Completions are set aside before, as this may be in the middle of handling one: for those that
// have no room the kernel would need memory, and take nothing more (EBUSY).
io_uring_sqe& submitter::take(std::uint64_t tag) noexcept {
  for (;;) {
    if (io_uring_sqe* sqe = ring_.next()) {
      sqe->user_data = tag;
      return *sqe;
    }
    set_aside();
    submit();
  }
}

void submitter::ask_to_end(std::uint64_t tag) noexcept {
  submissions::fill_cancel(take(ring_tag::ignored), tag);
}

// The kernel may take fewer than there are: for want of memory, or of room for completions (EAGAIN,
// EBUSY).
void submitter::submit() noexcept {
  while (ring_.unsubmitted() > 0) {
    enter(0, nullptr);
    if (ring_.unsubmitted() > 0) set_aside();
  }
}

void submitter::enter(unsigned complete, const timespec* timeout) noexcept {
  enable();
  check(ring_.enter(complete, timeout));
}

void submitter::enter_and_set_aside(const timespec* timeout) noexcept {
  enter(1, timeout);
  set_aside();
}

void submitter::set_aside() noexcept {
  while (const io_uring_cqe* front = ring_.front()) {
    const io_uring_cqe cqe = *front;
    ring_.pop();
    if (cqe.user_data == ring_tag::at_once) at_once_ = cqe.res;
    else owner_.set_aside(cqe);
  }
}

void submitter::enable() noexcept {
  if (enabled_) return;
  enabled_ = true;
  if ((ring_.flags() & IORING_SETUP_R_DISABLED) == 0) return;
  const int r = ring_.register_with(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  enabled_ = r == 0;
  check(r);
}

// What io_uring_enter(2) may say without being broken; a fault that stays ends the program, since
// nothing can complete any more.
void submitter::check(int r) noexcept {
  if (r >= 0 || r == -ETIME || r == -EINTR || r == -EBUSY) return void(failures_ = 0);
  IOLITE_ASSERT(r != -EBADR, "the kernel has lost completions for want of memory");
  IOLITE_ASSERT(++failures_ < 1000, "io_uring_enter fails and goes on failing");
}

}  // namespace iolite

// See semaphore.hpp. A permit that comes back while tasks wait is never free in between: it is
// handed to the first of them, whose wait is over then, whatever is cancelled meanwhile.
#include "iolite/semaphore.hpp"

#include "base/assert.hpp"

#include <cstdint>

namespace iolite {

semaphore::~semaphore() {
  const std::lock_guard hold(lock_);
  IOLITE_ASSERT(free_ == all_, "a semaphore or mutex outlives those who hold it");
}

semaphore::permit semaphore::try_acquire() noexcept {
  const std::lock_guard hold(lock_);
  if (free_ == 0) return {};
  --free_;
  return permit(*this);
}

void semaphore::add(std::size_t permits) noexcept {
  const std::lock_guard hold(lock_);
  IOLITE_ASSERT(permits <= SIZE_MAX - all_, "a semaphore has at most SIZE_MAX permits");
  all_ += permits;
  while (permits > 0 && waiting_.wake_one()) --permits;
  free_ += permits;
}

std::size_t semaphore::available() const noexcept {
  const std::lock_guard hold(lock_);
  return free_;
}

void semaphore::give_back() noexcept {
  const std::lock_guard hold(lock_);
  free_one();
}

// With the lock held.
void semaphore::free_one() noexcept {
  if (!waiting_.wake_one()) ++free_;
}

bool semaphore::acquire_operation::acquire(std::coroutine_handle<> h, const context& c) noexcept {
  const std::lock_guard hold(of_.lock_);
  if (of_.free_ == 0) return begin_on(of_.waiting_, h, c);
  --of_.free_;
  return begin_over(h, c);
}

result<semaphore::permit> semaphore::acquire_operation::await_resume() noexcept {
  if (const auto r = end_on(of_.waiting_); !r) return std::unexpected(r.error());
  return permit(of_);
}

}  // namespace iolite

// See ticker.hpp.
#include "iolite/ticker.hpp"

#include "base/assert.hpp"

namespace iolite {

ticker::ticker(clock::duration period) noexcept
    : period_(period), next_(deadline_after(now(), period)) {
  IOLITE_ASSERT(period > clock::duration::zero(), "a ticker has a period above zero");
}

ticker::~ticker() { IOLITE_ASSERT(!awaited_, "a ticker outlives the task that awaits it"); }

std::uint64_t ticker::take_passed() noexcept {
  const clock::duration late = now() - next_;
  const clock::rep more = late > clock::duration::zero() ? late / period_ : 0;
  next_ = deadline_after(next_, (more + 1) * period_);
  return static_cast<std::uint64_t>(more) + 1;
}

void ticker::tick_operation::take_ticker() noexcept {
  IOLITE_ASSERT(!of_.awaited_, "one task at a time awaits a ticker");
  of_.awaited_ = true;
  deadline = of_.next_;
}

result<std::uint64_t> ticker::tick_operation::await_resume() noexcept {
  of_.awaited_ = false;
  if (const int r = end(); r < 0) return failure(r);
  return of_.take_passed();
}

}  // namespace iolite

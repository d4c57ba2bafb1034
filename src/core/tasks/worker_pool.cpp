// See worker_pool.hpp.
#include "iolite/worker_pool.hpp"

#include "base/assert.hpp"
#include "core/process.hpp"
#include "core/tasks/helper_pool.hpp"

#include <utility>

namespace iolite {
namespace {

constexpr unsigned threads_limit = 1024;

}  // namespace

worker_pool::worker_pool(worker_pool_options options) {
  IOLITE_ASSERT(options.threads >= 1 && options.threads <= threads_limit,
                "a worker_pool has 1 to 1024 threads");
  it_ = std::make_unique<detail::helper_pool>(
      kernel::of_thread(),
      pool_limits{options.threads, options.threads, options.queue_max, std::move(options.name)},
      true);
}

worker_pool::~worker_pool() {
  // The threads, and whoever held the lock, are the parent's.
  if (it_->made_after != fork_count()) {
    static_cast<void>(it_.release());
    return;
  }
  {
    const std::lock_guard hold(it_->lock);
    IOLITE_ASSERT(it_->calls == 0, "a worker_pool outlives the tasks that await its calls");
  }
  it_->end();
}

}  // namespace iolite

// See worker_threads.hpp.
#include "serve/placements/worker_threads.hpp"

#include <algorithm>

namespace iolite {
namespace {

timespec length_of(clock::duration d) noexcept {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
  return {ns / 1'000'000'000, ns % 1'000'000'000};
}

}  // namespace

void worker_threads::settle(clock::time_point until) {
  const auto ended = [](const worker& w) { return w.has_ended->load(); };
  for (;;) {
    const std::uint32_t seen = std::atomic_ref(told_->ends).load();
    if (std::ranges::all_of(all_, ended)) break;
    const clock::time_point now = os_.now();
    if (now >= until) break;
    const timespec left = length_of(until - now);
    os_.futex_wait(&told_->ends, seen, &left);
  }
  for (worker& w : all_) {
    if (ended(w)) w.thread.join();
    else w.thread.detach();
  }
  all_.clear();
  const std::lock_guard hold(told_->lock);
  told_->on_failure = nullptr;
  if (told_->thrown) std::rethrow_exception(std::exchange(told_->thrown, nullptr));
}

}  // namespace iolite

// See faulty.hpp. One function, because the kernel interface is one function.
#include "kernel/faulty.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace iolite {

faulty::faulty(kernel& below, std::vector<fault> plan) noexcept
    : below_(below), plan_(std::move(plan)) {}

long faulty::invoke(call c, const call_args& a) noexcept {
  if (!armed_.load(std::memory_order_relaxed)) return below_.invoke(c, a);
  const auto n = ++seen_[static_cast<std::size_t>(c)];
  call_args args = a;
  for (const fault& f : plan_) {
    if (f.what != c || n < f.nth || n - f.nth >= f.times) continue;
    ++injected_;
    if (f.delay > clock::duration::zero()) {
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(f.delay).count();
      const timespec t{ns / 1'000'000'000, ns % 1'000'000'000};
      below_.nanosleep(&t);
    }
    // A failed close(2) has still given the number back: close(2), "Dealing with error returns".
    if (f.error != 0 && c == call::close) below_.invoke(c, a);
    if (f.error != 0) return -f.error;
    if (f.shorten_to > 0) args.word[2] = std::min(args.word[2], static_cast<long>(f.shorten_to));
  }
  return below_.invoke(c, args);
}

std::uint64_t faulty::calls(call c) const noexcept { return seen_[static_cast<std::size_t>(c)]; }

}  // namespace iolite

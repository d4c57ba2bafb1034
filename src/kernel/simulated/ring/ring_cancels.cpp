// See ring_file.hpp: what ends other requests. Cancels, and time-outs of themselves and of others.
// io_uring_prep_cancel(3), io_uring_prep_timeout(3), io_uring_prep_link_timeout(3).
#include "kernel/simulated/ring/ring_file.hpp"

#include <algorithm>
#include <utility>

namespace iolite::simulated {
namespace {

constexpr unsigned cancel_all = 1, cancel_by_file = 2, cancel_any = 4;  // IORING_ASYNC_CANCEL_*

}  // namespace

int ring_file::cancel(const submission& asked) {
  const unsigned flags = asked.call_flags;
  const bool all = (flags & (cancel_all | cancel_any)) != 0;
  const auto by_file = (flags & cancel_by_file) != 0 ? files_.share(asked.fd) : nullptr;
  if ((flags & cancel_by_file) != 0 && !by_file) return -EBADF;
  int ended = 0;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i] || pending_[i]->guards != 0) continue;
    const request& r = *pending_[i];
    const bool meant = (flags & cancel_any) != 0 ||
                       (by_file ? r.on == by_file : r.asked.user_data == asked.address);
    if (!meant) continue;
    const int result = cancel_at(i);
    if (!all) return result;
    if (result == 0) ++ended;
  }
  return all ? ended : -ENOENT;
}

// 0: it ends by this. -EALREADY: it goes on, or what has come meanwhile was faster.
int ring_file::cancel_at(std::size_t at) {
  request& r = *pending_[at];
  // A worker may have it already.
  if (r.on && r.on->is_regular() && world().random.below(2) == 0) return -EALREADY;
  unsigned flags = 0;
  const bool may_win = !is_multishot(r.asked) && world().random.below(2) == 0;
  const int result = may_win ? attempt(r, flags) : -EAGAIN;
  end(at, result == -EAGAIN ? -ECANCELED : result, flags);
  return result == -EAGAIN ? 0 : -EALREADY;
}

// POLL_REMOVE and TIMEOUT_REMOVE: only requests of one kind.
int ring_file::remove(const submission& asked, std::uint8_t opcode) {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i] || pending_[i]->asked.opcode != opcode) continue;
    if (pending_[i]->asked.user_data == asked.address) return cancel_at(i);
  }
  return -ENOENT;
}

// --- time-outs ---

clock::time_point ring_file::time_of(const submission& asked) const {
  const auto& t = *reinterpret_cast<const __kernel_timespec*>(asked.address);
  const auto length = std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  if ((asked.call_flags & IORING_TIMEOUT_ABS) == 0) {
    return deadline_after(world().time.now(), length);
  }
  return clock::time_point(length) - of().at.clock_ahead;
}

int ring_file::time_out(request& r) {
  if (r.asked.offset > 0 && given_ - r.begun_after >= r.asked.offset) return 0;
  return world().time.now() < r.earliest ? -EAGAIN : -ETIME;
}

// A LINK_TIMEOUT behind `r` runs from now on.
void ring_file::guard(request& r) {
  if (r.then.empty() || r.then.front().opcode != IORING_OP_LINK_TIMEOUT) return;
  request g;
  g.asked = r.then.front();
  r.then.pop_front();
  g.id = ++numbers_;
  g.line = g.id;
  g.guards = r.id;
  g.earliest = time_of(g.asked);
  if (g.earliest != never) {
    world().time.at(g.earliest, [me = shared_from_this(), this] { changed(POLLIN); });
  }
  pending_.push_back(std::make_unique<request>(std::move(g)));
}

// Its time has come: what it guards ends, if that can be.
int ring_file::fire(const request& guard) {
  if (world().time.now() < guard.earliest) return -EAGAIN;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i] || pending_[i]->id != guard.guards) continue;
    const std::uint64_t id = std::exchange(pending_[i]->id, 0);  // so that it lets us be
    const int result = cancel_at(i);
    if (pending_[i]) pending_[i]->id = id;
    return result == 0 ? -ETIME : result;
  }
  return -ENOENT;
}

// What it guarded is over.
void ring_file::release_guard(std::uint64_t id) {
  if (id == 0) return;
  const auto at =
      std::ranges::find_if(pending_, [&](const auto& r) { return r && r->guards == id; });
  if (at == pending_.end()) return;
  const std::unique_ptr<request> g = std::move(*at);
  give(*g, -ECANCELED, 0);
}

}  // namespace iolite::simulated

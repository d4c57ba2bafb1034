// See outbox.hpp. One operation sends all batches of a delivery, and between them it is an event
// that is waited for: so whoever has a message can start the transfer without its coroutine.
#include "iolite/outbox.hpp"

#include "base/assert.hpp"
#include "core/gather.hpp"
#include "core/transfer_limits.hpp"
#include "iolite/scope.hpp"
#include "iolite/time.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace iolite {

// --- the delivery: on its engine's thread ---

detail::delivery::delivery(outbox& from, stream& to, clock::duration limit) noexcept
    : from_(from), to_(to), limit_(limit) {
  all = true;
}

void detail::delivery::become_wait() noexcept {
  kind = op_kind::event;
  payload = static_cast<event_source*>(&from_);
  deadline = never;
  on = on_;
}

// False: the time of the whole connection is over.
bool detail::delivery::become_send(op_payload from, std::size_t bytes, engine& e) noexcept {
  kind = op_kind::send;
  payload = from;
  size = bytes;
  gathers = false;
  through = &to_;
  idles = false;
  deadline = limit_ > clock::duration::zero() ? deadline_after(e.now(), limit_) : never;
  return to_.bound(*this, e);
}

bool detail::delivery::become_send_of(piece from, engine& e) noexcept {
  return become_send(const_cast<std::byte*>(from.data()), from.size(), e);
}

bool detail::delivery::begin_batch(std::coroutine_handle<> h, const context& c) noexcept {
  IOLITE_ASSERT(c.on == to_.engine_ || c.on->traits().blocking,
                "a stream is used on the engine it belongs to");
  IOLITE_ASSERT(!to_.sending_, "two tasks send on one stream at a time");
  on_ = c.on;
  blocking_ = on_->traits().blocking;
  fd = to_.fd_;
  to_.sending_ = this;
  bool in_time = true;
  if (!alone_.empty()) {
    in_time = become_send_of(alone_.bytes().subspan(alone_sent_), *c.on);
  } else if (const std::size_t n = from_.take_batch(); from_.batch_ == 1) {
    in_time = become_send_of(from_.first_->what.bytes(), *c.on);
  } else if (from_.batch_ > 1) {
    in_time = become_send(static_cast<piece_source*>(&from_), n, *c.on);
    gathers = true;
  } else {
    become_wait();
    if (!begin(h, c)) return false;
    if (waits()) from_.rest(*this, nullptr);
    return true;
  }
  return in_time ? begin(h, c) : begin_over(h, c, -ETIMEDOUT);
}

int detail::delivery::await_resume() noexcept {
  const bool sent = kind == op_kind::send;
  if (!lost_stream()) {
    kind = op_kind::send;
    to_.take_leave(*this);
  }
  const int r = end();
  if (sent) from_.batch_is_out(std::exchange(alone_, {}));
  return r;
}

// It waits, and nobody else can know: its place as the one who is idle was taken. Without a waiter
// a start is a plain call, which ends here and does not count as the coroutine's turn.
void detail::delivery::start_sending(const message& m) noexcept {
  engine& e = *on_;
  const auto coroutine = std::exchange(waiter, {});
  state = op_state::done;  // as a wait
  const bool in_time = become_send_of(m.bytes(), e);
  const bool waits = in_time && e.start(*this) == engine::started::pending;
  waiter = coroutine;
  if (waits) {
    alone_ = m;
    return;
  }
  const int r = in_time ? std::min(outcome, 0) : -ETIMEDOUT;
  if (auto* const l = to_.limits()) l->ended(*this, e);
  become_wait();
  cancel_requested = false;  // if it was, `r` says so
  state = op_state::pending;  // the same wait as before
  if (r < 0) e.post(*this, r);  // what is counted ends with the delivery
  else from_.rest(*this, &m);
}

// Any thread. The delivery waits meanwhile; what the socket does not take at once is left to it.
void detail::delivery::send_on_this_thread(const message& m) noexcept {
  const piece bytes = m.bytes();
  long n = 0;
  do {
    if (!bytes.empty()) {
      n = on_->os().send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  } while (n == -EINTR);
  if (n == static_cast<long>(bytes.size())) return from_.rest(*this, &m);
  alone_ = m;
  alone_sent_ = static_cast<std::size_t>(std::max(n, 0L));
  from_.give_back(*this, n < 0 && n != -EAGAIN ? static_cast<int>(n) : 0);
}

// --- the outbox ---

outbox::outbox(std::uint32_t capacity, std::size_t bytes_max) noexcept
    : capacity_(capacity > 0 ? capacity : 1), bytes_max_(bytes_max), senders_(lock_) {}

outbox::~outbox() {
  IOLITE_ASSERT(!delivery_, "an outbox outlives its delivery: close it and wait for the end");
  while (first_) drop_first();
}

// With the lock held.
bool outbox::fits(const message& m) const noexcept {
  if (count_ == 0) return true;
  return count_ < capacity_ && bytes_ <= bytes_max_ && m.size() <= bytes_max_ - bytes_;
}

void outbox::take(const message& m) noexcept {
  ++count_;
  bytes_ += m.size();
}

// When memory fails the sender that was woken gives up, and the next one that waits gets the room.
outbox::place* outbox::new_place(const message& m) {
  try {
    return new place{.what = m};
  } catch (...) {
    senders_.wake_one();
    throw;
  }
}

offered outbox::try_send(const message& m) {
  std::unique_lock hold(lock_);
  if (closed_) return offered::closed;
  if (!fits(m)) return offered::full;
  detail::delivery* const d = idle_;
  if (d && (d->blocking_ || d->on_ == engine::current())) {
    take(m);
    idle_ = nullptr;
    lent_ = d->blocking_;
    hold.unlock();  // a system call takes its time
    if (d->blocking_) d->send_on_this_thread(m);
    else d->start_sending(m);
    return offered::taken;
  }
  place* const p = new_place(m);
  (last_ ? last_->next : first_) = p;
  last_ = p;
  take(m);
  wake_delivery();
  return offered::taken;
}

// A message that has left may make room for several: who has got some of it lets the next one look.
void outbox::pass_on_room() noexcept {
  const std::lock_guard hold(lock_);
  if (bytes_ < bytes_max_ && count_ < capacity_) senders_.wake_one();
}

task<result<void>> outbox::send(message m) {
  for (;;) {
    const offered answer = try_send(m);
    if (answer == offered::closed) co_return std::unexpected(make_error_code(errc::closed));
    if (answer == offered::taken) {
      if (bytes_max_ != SIZE_MAX) pass_on_room();
      co_return result<void>();
    }
    auto room =
        detail::condition_wait(senders_, [this, &m]() noexcept { return closed_ || fits(m); });
    if (const auto r = co_await room; !r) co_return std::unexpected(r.error());
  }
}

task<result<void>> outbox::deliver_to(stream& to, clock::duration limit) {
  if (!to.is_open()) co_return failure(-EBADF);
  {
    const std::lock_guard hold(lock_);
    IOLITE_ASSERT(!delivery_, "one task delivers what an outbox holds");
    delivery_.emplace(*this, to, limit);
  }
  detail::delivery& batch = *delivery_;
  int r = 0;
  while (r >= 0 && (!batch.alone_.empty() || !over())) {
    r = co_await batch;
    if (r >= 0 && batch.lost_stream()) r = -ECANCELED;
  }
  shut();
  if (r < 0) co_return failure(r);
  co_return result<void>();
}

void outbox::close() noexcept {
  const std::lock_guard hold(lock_);
  closed_ = true;
  senders_.wake_all();
  wake_delivery();
}

bool outbox::closed() const noexcept {
  const std::lock_guard hold(lock_);
  return closed_;
}

std::size_t outbox::size() const noexcept {
  const std::lock_guard hold(lock_);
  return count_;
}

std::size_t outbox::bytes() const noexcept {
  const std::lock_guard hold(lock_);
  return bytes_;
}

bool outbox::over() const noexcept {
  const std::lock_guard hold(lock_);
  return closed_ && !first_;
}

void outbox::shut() noexcept {
  const std::lock_guard hold(lock_);
  delivery_.reset();
  closed_ = true;
  count_ = 0;
  bytes_ = 0;
  while (first_) drop_first();
  senders_.wake_all();
}

bool outbox::forget(operation&) noexcept {
  const std::lock_guard hold(lock_);
  cancelled_ = lent_;  // it is told when it comes back
  return std::exchange(idle_, nullptr) != nullptr;
}

// With the lock held, as for wait_list.
void outbox::wake_delivery() noexcept {
  if (detail::delivery* const d = std::exchange(idle_, nullptr)) d->on_->post(*d, 0);
}

// `out`, if it is one, has left, and the delivery waits: until something comes, if that has not
// happened meanwhile.
void outbox::rest(detail::delivery& d, const message* out) noexcept {
  const std::lock_guard hold(lock_);
  if (out) make_room(1, out->size());
  idle_ = &d;
  lent_ = false;
  if (std::exchange(cancelled_, false)) std::exchange(idle_, nullptr)->on_->post(d, -ECANCELED);
  else if (first_ || closed_) wake_delivery();
}

// It was lent, and has something to do now, or to tell.
void outbox::give_back(detail::delivery& d, int result) noexcept {
  const std::lock_guard hold(lock_);
  lent_ = false;
  d.on_->post(d, std::exchange(cancelled_, false) ? -ECANCELED : result);
}

void outbox::make_room(std::uint32_t messages, std::size_t bytes) noexcept {
  count_ -= messages;
  bytes_ -= bytes;
  for (; messages > 0; --messages) senders_.wake_one();
}

// As many as one call takes. Gives their bytes.
std::size_t outbox::take_batch() noexcept {
  const std::lock_guard hold(lock_);
  std::size_t bytes = 0;
  batch_ = 0;
  for (const place* p = first_; p && batch_ < gathered::pieces_max; p = p->next, ++batch_)
    bytes += p->what.size();
  return bytes;
}

// Not as far as the next of the last one: others may be adding it.
std::size_t outbox::pieces_after(std::size_t moved, std::span<piece> into) noexcept {
  std::size_t n = 0;
  const place* p = first_;
  for (std::uint32_t i = 0; i < batch_ && n < into.size(); ++i) {
    if (i > 0) p = p->next;
    const piece all = p->what.bytes();
    const std::size_t skipped = std::min(moved, all.size());
    moved -= skipped;
    if (skipped < all.size()) into[n++] = all.subspan(skipped);
  }
  return n;
}

void outbox::batch_is_out(const message& alone) noexcept {
  const std::lock_guard hold(lock_);
  if (!alone.empty()) make_room(1, alone.size());
  for (; batch_ > 0; --batch_) {
    make_room(1, first_->what.size());
    drop_first();
  }
}

void outbox::drop_first() noexcept {
  place* const p = first_;
  first_ = p->next;
  if (!first_) last_ = nullptr;
  delete p;
}

}  // namespace iolite

// See ring_file.hpp: the queues, and which completion comes when.
#include "kernel/simulated/ring_file.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace iolite::simulated {
namespace {

// Where things lie in the memory of the queues, in bytes.
constexpr unsigned sq_head = 0, sq_tail = 4, sq_mask = 8, sq_entries = 12, sq_flags = 16,
                   sq_dropped = 20, cq_head = 64, cq_tail = 68, cq_mask = 72, cq_entries = 76,
                   cq_overflow = 80, cq_flags = 84, sq_array = 128;

constexpr unsigned known_flags =
    IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN |
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
constexpr unsigned new_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

unsigned cqes_at(unsigned submissions) noexcept {
  return (sq_array + submissions * 4U + 63U) / 64U * 64U;
}

std::shared_ptr<std::byte[]> zeroed(std::size_t bytes) {
  return std::shared_ptr<std::byte[]>(new std::byte[bytes]{});
}

}  // namespace

int ring_file::open(unsigned entries, io_uring_params& p) {
  if (entries == 0 || (p.flags & ~known_flags) != 0) return -EINVAL;
  if ((p.flags & IORING_SETUP_DEFER_TASKRUN) && !(p.flags & IORING_SETUP_SINGLE_ISSUER)) {
    return -EINVAL;
  }
  const bool old_kernel = world().random.below(4) == 0;
  if (old_kernel && (p.flags & new_flags) != 0) return -EINVAL;
  has_buffer_rings_ = world().random.below(4) != 0;
  submissions_ = std::bit_ceil(std::min(entries, 32768U));
  completions_max_ = p.flags & IORING_SETUP_CQSIZE ? std::bit_ceil(p.cq_entries) : 2 * submissions_;
  if (completions_max_ < submissions_) return -EINVAL;
  enabled_ = (p.flags & IORING_SETUP_R_DISABLED) == 0;
  queues_bytes_ = cqes_at(submissions_) + completions_max_ * sizeof(io_uring_cqe);
  queues_ = zeroed(queues_bytes_);
  entries_ = zeroed(submissions_ * sizeof(io_uring_sqe));
  word(sq_mask) = submissions_ - 1;
  word(sq_entries) = submissions_;
  word(cq_mask) = completions_max_ - 1;
  word(cq_entries) = completions_max_;
  p.sq_entries = submissions_;
  p.cq_entries = completions_max_;
  p.features = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
               IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS | IORING_FEAT_EXT_ARG;
  p.sq_off = {.head = sq_head,
              .tail = sq_tail,
              .ring_mask = sq_mask,
              .ring_entries = sq_entries,
              .flags = sq_flags,
              .dropped = sq_dropped,
              .array = sq_array};
  p.cq_off = {.head = cq_head,
              .tail = cq_tail,
              .ring_mask = cq_mask,
              .ring_entries = cq_entries,
              .overflow = cq_overflow,
              .cqes = cqes_at(submissions_),
              .flags = cq_flags};
  return 0;
}

std::shared_ptr<std::byte[]> ring_file::map(std::size_t bytes, long offset) const {
  if (offset == static_cast<long>(IORING_OFF_SQ_RING)) {
    return bytes <= queues_bytes_ ? queues_ : nullptr;
  }
  const bool fits = bytes <= submissions_ * sizeof(io_uring_sqe);
  return offset == static_cast<long>(IORING_OFF_SQES) && fits ? entries_ : nullptr;
}

int ring_file::configure(unsigned operation, const void* argument) {
  if (operation == IORING_REGISTER_ENABLE_RINGS) {
    return std::exchange(enabled_, true) ? -EBADFD : 0;
  }
  const bool adds = operation == IORING_REGISTER_PBUF_RING;
  if (!has_buffer_rings_ || (!adds && operation != IORING_UNREGISTER_PBUF_RING)) return -EINVAL;
  if (reinterpret_cast<std::uintptr_t>(argument) < 4096) return -EFAULT;
  io_uring_buf_reg reg;
  std::memcpy(&reg, argument, sizeof reg);
  if (!adds) return buffers_.erase(reg.bgid) > 0 ? 0 : -ENOENT;
  if (!std::has_single_bit(reg.ring_entries) || reg.ring_addr % 4096 != 0) return -EINVAL;
  auto* const entries = reinterpret_cast<io_uring_buf*>(reg.ring_addr);
  return buffers_.emplace(reg.bgid, buffers{entries, reg.ring_entries, 0}).second ? 0 : -EEXIST;
}

unsigned& ring_file::word(unsigned offset) const noexcept {
  return *reinterpret_cast<unsigned*>(queues_.get() + offset);
}

unsigned ring_file::completions() const noexcept { return word(cq_tail) - word(cq_head); }

int ring_file::submit(unsigned most) {
  if (most > 0 && !done_.empty()) {
    post();
    if (!done_.empty()) return -EBUSY;
  }
  int taken = 0;
  for (unsigned i = 0; i < most && word(sq_head) != word(sq_tail); ++i, ++taken) {
    const unsigned at = word(sq_array + 4 * (word(sq_head) & (submissions_ - 1)));
    const auto& e = reinterpret_cast<const io_uring_sqe*>(entries_.get())[at];
    const submission asked{e.opcode,        e.flags, e.buf_group, e.fd,       e.len,
                           e.poll32_events, e.addr,  e.off,       e.user_data};
    ++word(sq_head);
    begin(asked);
  }
  return taken;
}

void ring_file::begin(const submission& asked) {
  if (asked.opcode == IORING_OP_NOP) return give(asked, 0);
  if (asked.opcode == IORING_OP_ASYNC_CANCEL) return cancel(asked);
  request r{asked, files_.share(asked.fd)};
  if (!r.on) return give(asked, -EBADF);
  if (r.on->is_regular()) return let_wait(std::move(r));
  unsigned flags = 0;
  const int result = attempt(r, flags);
  // A file that does not wait says so at once; but a poll is meant to.
  const bool waits = asked.opcode == IORING_OP_POLL_ADD || (r.on->status_flags & 04000) == 0;
  if (result != -EAGAIN || !waits) return give(asked, result, flags);
  let_wait(std::move(r));
}

void ring_file::let_wait(request r) {
  r.on->opened();  // a close(2) does not end it
  if (r.on->is_regular()) {
    machine& w = world();
    const bool syncs = r.asked.opcode == IORING_OP_FSYNC;
    const auto most = syncs ? of().at.sync_max : std::chrono::microseconds(200);
    r.earliest = w.time.now() + w.random.between({}, most);
    w.time.at(r.earliest, [me = shared_from_this(), this] { changed(POLLIN); });
  }
  pending_.push_back(std::move(r));
}

// The completion comes now, or before long.
void ring_file::give(const submission& asked, int result, unsigned flags) {
  const completion c{asked.user_data, result, flags};
  if (world().random.below(4) != 0) return done_.push_back(c);
  ++late_;
  const auto delay = world().random.between({}, std::chrono::microseconds(30));
  world().time.after(delay, [me = std::static_pointer_cast<ring_file>(shared_from_this()), c] {
    --me->late_;
    me->done_.push_back(c);
    me->changed(POLLIN);
  });
}

void ring_file::end(std::size_t at, int result, unsigned flags) {
  const request r = std::move(pending_[at]);
  pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(at));
  give(r.asked, result, flags);
  r.on->dropped();
}

void ring_file::cancel(const submission& asked) {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    request& r = pending_[i];
    if (r.asked.user_data != asked.address) continue;
    // A worker may have it already: then it goes on.
    if (r.on->is_regular() && world().random.below(2) == 0) return give(asked, -EALREADY);
    // What has come meanwhile may win.
    unsigned flags = 0;
    const int result = world().random.below(2) == 0 ? attempt(r, flags) : -EAGAIN;
    end(i, result == -EAGAIN ? -ECANCELED : result, flags);
    return give(asked, result == -EAGAIN ? 0 : -EALREADY);
  }
  give(asked, -ENOENT);
}

void ring_file::progress() {
  if (of().is_held()) return;
  for (std::size_t i = 0; i < pending_.size();) {
    unsigned flags = 0;
    const int result = attempt(pending_[i], flags);
    if (result == -EAGAIN) ++i;
    else end(i, result, flags);
  }
  post();
}

// In an order that the seed chooses, as far as there is room: the rest waits.
void ring_file::post() {
  while (!done_.empty() && completions() < completions_max_) {
    std::swap(done_[world().random.below(done_.size())], done_.back());
    const completion& c = done_.back();
    io_uring_cqe out{};
    out.user_data = c.user_data;
    out.res = c.result;
    out.flags = c.flags;
    const std::size_t place = word(cq_tail) & (completions_max_ - 1);
    std::memcpy(queues_.get() + cqes_at(submissions_) + place * sizeof out, &out, sizeof out);
    ++word(cq_tail);
    done_.pop_back();
  }
  word(sq_flags) = done_.empty() ? 0 : IORING_SQ_CQ_OVERFLOW;
}

void ring_file::closed() {
  for (const request& r : std::exchange(pending_, {})) r.on->dropped();
  done_.clear();
}

}  // namespace iolite::simulated

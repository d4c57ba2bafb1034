// See ring_file.hpp: the queues, and which completion comes when.
#include "kernel/simulated/ring/ring_file.hpp"

#include "kernel/ring_names.hpp"

#include <algorithm>
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
  const ring_features& can = world().rings;
  if (!can.available) return -EPERM;
  const auto lacks = [this](std::optional<bool> has) {
    return has ? !*has : world().random.below(4) == 0;
  };
  if (lacks(can.defer_taskrun) && (p.flags & new_flags) != 0) return -EINVAL;
  if (!can.coop_taskrun && (p.flags & IORING_SETUP_COOP_TASKRUN) != 0) return -EINVAL;
  has_buffer_rings_ = !lacks(can.buffer_rings);
  has_incremental_ = !lacks(can.incremental_buffers);
  if (entries > can.entries_max && (p.flags & IORING_SETUP_CLAMP) == 0) return -EINVAL;
  submissions_ = std::bit_ceil(std::min(entries, can.entries_max));
  completions_max_ = p.flags & IORING_SETUP_CQSIZE ? std::bit_ceil(p.cq_entries) : 2 * submissions_;
  if (completions_max_ < submissions_) return -EINVAL;
  enabled_ = (p.flags & IORING_SETUP_R_DISABLED) == 0;
  submits_all_ = (p.flags & IORING_SETUP_SUBMIT_ALL) != 0;
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
               IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS;
  if (can.ext_arg) p.features |= IORING_FEAT_EXT_ARG;
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

int ring_file::configure(unsigned operation, const void* argument, unsigned count) {
  if (operation == IORING_REGISTER_ENABLE_RINGS) {
    return std::exchange(enabled_, true) ? -EBADFD : 0;
  }
  if (operation == IORING_REGISTER_PROBE) return probe(argument, count);
  if (operation == IORING_REGISTER_FILES2) return make_slots(argument);
  if (operation == IORING_REGISTER_FILES_UPDATE) return empty_slot(argument);
  const bool adds = operation == IORING_REGISTER_PBUF_RING;
  if (!has_buffer_rings_ || (!adds && operation != IORING_UNREGISTER_PBUF_RING)) return -EINVAL;
  if (reinterpret_cast<std::uintptr_t>(argument) < 4096) return -EFAULT;
  io_uring_buf_reg reg;
  std::memcpy(&reg, argument, sizeof reg);
  if (!adds) return buffers_.erase(reg.bgid) > 0 ? 0 : -ENOENT;
  if (!std::has_single_bit(reg.ring_entries) || reg.ring_addr % 4096 != 0) return -EINVAL;
  auto* const entries = reinterpret_cast<io_uring_buf*>(reg.ring_addr);
  const unsigned flags = flags_of(reg);
  const bool known = flags == 0 || (flags == ring_buffers_incremental && has_incremental_);
  if (!known) return -EINVAL;
  const buffers made{entries, reg.ring_entries, 0, flags != 0 ? numbers_ + 1 : 0};
  numbers_ += 2;
  return buffers_.emplace(reg.bgid, made).second ? 0 : -EEXIST;
}

unsigned& ring_file::word(unsigned offset) const noexcept {
  return *reinterpret_cast<unsigned*>(queues_.get() + offset);
}

unsigned ring_file::completions() const noexcept { return word(cq_tail) - word(cq_head); }

// --- requests begin ---

ring_file::submission ring_file::next_submission() const noexcept {
  const unsigned at = word(sq_array + 4 * (word(sq_head) & (submissions_ - 1)));
  const auto& e = reinterpret_cast<const io_uring_sqe*>(entries_.get())[at];
  return {e.opcode,        e.flags, e.ioprio, e.buf_group, e.fd,        e.len,
          e.poll32_events, e.addr,  e.off,    e.user_data, e.file_index};
}

int ring_file::submit(unsigned most) {
  if (most > 0 && !done_.empty()) {
    post();
    if (!done_.empty()) return -EBUSY;
  }
  if (most > 0 && wrong(fault_kind::short_submission)) {  // no memory for all of them
    most = static_cast<unsigned>(world().draws.extent().below(most));
    if (most == 0) return -EAGAIN;
  }
  int taken = 0;
  bool good = true;
  chain linked;
  for (unsigned i = 0; i < most && good && word(sq_head) != word(sq_tail); ++i, ++taken) {
    linked.push_back(next_submission());
    ++word(sq_head);
    if (linked.back().has(IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) continue;
    const bool alone = linked.size() == 1;
    good = begin(std::exchange(linked, {}), ++numbers_, alone) || submits_all_;
  }
  if (!linked.empty()) begin(std::move(linked), ++numbers_, false);
  sweep();
  return taken;
}

// False: it makes no sense, and the rest of the batch stays where it is.
bool ring_file::begin(chain what, std::uint64_t line, bool alone) {
  request r;
  r.asked = what.front();
  what.pop_front();
  r.then = std::move(what);
  r.id = ++numbers_;
  r.line = line;
  if (r.asked.opcode == IORING_OP_SENDMSG) {
    const auto& m = *reinterpret_cast<const msghdr*>(r.asked.address);
    r.pieces.assign(m.msg_iov, m.msg_iov + m.msg_iovlen);
  }
  r.alone = alone && !is_multishot(r.asked);
  if (!is_known(r.asked)) return settle(r, -EINVAL), false;
  if (needs_file(r.asked)) {
    r.on = (r.asked.has(IOSQE_FIXED_FILE) ? slots_ : files_).share(r.asked.fd);
    if (!r.on) return settle(r, -EBADF), true;
  }
  if (r.asked.has(IOSQE_BUFFER_SELECT) && !has_buffer(r.asked)) return settle(r, -ENOBUFS), true;
  guard(r);
  if (r.asked.opcode == IORING_OP_TIMEOUT || (r.on && r.on->is_regular())) {
    return wait_for(std::move(r)), true;
  }
  // A file that does not wait says so at once; but a poll is meant to.
  const bool polls = r.asked.opcode == IORING_OP_POLL_ADD;
  const bool waits = polls || (r.on && !hurries(r));
  if (polls && is_multishot(r.asked)) r.changes = std::make_unique<news>(*r.on);
  unsigned flags = IORING_CQE_F_MORE;
  int result = 0;
  while ((flags & IORING_CQE_F_MORE) != 0) {
    flags = 0;
    result = attempt(r, flags);
    if ((flags & IORING_CQE_F_MORE) != 0) give(r, result, flags);
  }
  if (result == -EAGAIN && waits) wait_for(std::move(r));
  else settle(r, result, flags);
  return true;
}

void ring_file::wait_for(request r) {
  machine& w = world();
  if (r.on) r.on->opened();  // a close(2) does not end it
  if (r.asked.opcode == IORING_OP_TIMEOUT) {
    r.earliest = time_of(r.asked);
    r.begun_after = given_;
  } else if (r.on && r.on->is_regular()) {
    const bool syncs = r.asked.opcode == IORING_OP_FSYNC;
    const auto most = syncs ? of().at.sync_max : std::chrono::microseconds(200);
    r.earliest = w.time.now() + w.random.between({}, most);
  }
  if (r.earliest > w.time.now() && r.earliest != never) {
    w.time.at(r.earliest, [me = shared_from_this(), this] { changed(POLLIN); });
  }
  pending_.push_back(std::make_unique<request>(std::move(r)));
}

// --- and end ---

// What is linked to it begins, or is cancelled where it failed.
void ring_file::settle(const request& r, int result, unsigned flags) {
  give(r, result, flags);
  release_guard(r.id);
  if (r.then.empty()) return;
  const bool moves = r.asked.opcode == IORING_OP_READ || r.asked.opcode == IORING_OP_WRITE;
  const bool failed = result < 0 || (moves && static_cast<unsigned>(result) < r.asked.bytes);
  if (!failed || r.asked.has(IOSQE_IO_HARDLINK)) {
    begin(r.then, r.line, false);
    return;
  }
  for (const submission& s : r.then) give({.asked = s, .line = r.line}, -ECANCELED, 0);
}

// The completion comes now, or before long.
void ring_file::give(const request& r, int result, unsigned flags) {
  if (r.asked.has(IOSQE_CQE_SKIP_SUCCESS) && result >= 0) return;
  const completion c{r.line, r.asked.user_data, result, flags};
  if (r.asked.opcode != IORING_OP_TIMEOUT) ++given_;
  if (!r.alone || world().random.below(4) != 0) return done_.push_back(c);
  const auto delay = world().random.between({}, std::chrono::microseconds(30));
  world().time.after(delay, [me = std::static_pointer_cast<ring_file>(shared_from_this()), c] {
    me->done_.push_back(c);
    me->changed(POLLIN);
  });
}

void ring_file::end(std::size_t at, int result, unsigned flags) {
  const std::unique_ptr<request> r = std::move(pending_[at]);
  settle(*r, result, flags);
  r->changes.reset();
  if (r->on) r->on->dropped();
}

void ring_file::sweep() { std::erase(pending_, nullptr); }

void ring_file::progress() {
  if (of().is_held()) return;
  for (std::size_t i = 0; i < pending_.size();) {  // it grows by what is linked
    unsigned flags = 0;
    const int result = pending_[i] ? attempt(*pending_[i], flags) : -EAGAIN;
    if (!pending_[i] || (result == -EAGAIN && flags == 0)) ++i;
    else if ((flags & IORING_CQE_F_MORE) != 0) give(*pending_[i], result, flags);
    else end(i++, result, flags);
  }
  sweep();
  post();
}

// In an order that the seed chooses, as far as there is room: the rest waits.
void ring_file::post() {
  while (!done_.empty() && completions() < completions_max_) {
    const std::size_t chosen = world().random.below(done_.size());
    const auto first = std::ranges::find(done_, done_[chosen].line, &completion::line);
    io_uring_cqe out{};
    out.user_data = first->user_data;
    out.res = first->result;
    out.flags = first->flags;
    const std::size_t place = word(cq_tail) & (completions_max_ - 1);
    std::memcpy(queues_.get() + cqes_at(submissions_) + place * sizeof out, &out, sizeof out);
    ++word(cq_tail);
    done_.erase(first);
  }
  word(sq_flags) = done_.empty() ? 0 : IORING_SQ_CQ_OVERFLOW;
}

// A program that was killed looks at the queue again when it ends with its world.
void ring_file::closed() {
  for (const auto& r : std::exchange(pending_, {})) {
    if (!r) continue;
    r->changes.reset();
    if (r->on) r->on->dropped();
    done_.push_back({r->line, r->asked.user_data, -ECANCELED, 0});
    for (const submission& s : r->then) done_.push_back({r->line, s.user_data, -ECANCELED, 0});
  }
  slots_.clear();
}

}  // namespace iolite::simulated

// See ring.hpp; the memory layout is that of io_uring_setup(2).
#include "engines/io_uring/ring.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>

namespace iolite {

int ring::open(unsigned entries, unsigned flags) noexcept {
  io_uring_params p{};
  p.flags = flags;
  const int fd = os_.io_uring_setup(entries, &p);
  if (fd < 0) return fd;
  fd_ = fd;
  flags_ = p.flags;
  features_ = p.features;
  // Since Linux 5.4; without it the two rings are mapped apart, which is not worth code any more.
  if ((p.features & IORING_FEAT_SINGLE_MMAP) == 0) return -ENOSYS;
  return map(p);
}

long ring::map_at(std::size_t bytes, long offset) noexcept {
  return os_.mmap(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, offset);
}

int ring::map(const io_uring_params& p) noexcept {
  rings_bytes_ = std::max(p.sq_off.array + p.sq_entries * sizeof(unsigned),
                          p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe));
  const long rings = map_at(rings_bytes_, IORING_OFF_SQ_RING);
  if (!kernel::is_address(rings)) return static_cast<int>(rings);
  rings_ = reinterpret_cast<void*>(rings);
  sqes_bytes_ = p.sq_entries * sizeof(io_uring_sqe);
  const long sqes = map_at(sqes_bytes_, IORING_OFF_SQES);
  if (!kernel::is_address(sqes)) return static_cast<int>(sqes);
  sqes_ = reinterpret_cast<io_uring_sqe*>(sqes);

  const auto at = [this](unsigned offset) {
    return reinterpret_cast<unsigned*>(static_cast<char*>(rings_) + offset);
  };
  sq_head_ = at(p.sq_off.head);
  sq_tail_ = at(p.sq_off.tail);
  sq_flags_ = at(p.sq_off.flags);
  sq_array_ = at(p.sq_off.array);
  sq_mask_ = *at(p.sq_off.ring_mask);
  cq_head_ = at(p.cq_off.head);
  cq_tail_ = at(p.cq_off.tail);
  cq_mask_ = *at(p.cq_off.ring_mask);
  cqes_ = reinterpret_cast<io_uring_cqe*>(at(p.cq_off.cqes));
  sq_entries_ = p.sq_entries;
  local_tail_ = *sq_tail_;
  for (unsigned i = 0; i < sq_entries_; ++i)
    sq_array_[i] = i;  // entry i stands at place i, for good
  return 0;
}

int ring::open_best(unsigned entries) noexcept {
  constexpr unsigned wanted[] = {IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED |
                                     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                 IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN,
                                 IORING_SETUP_CLAMP};
  int r = -EINVAL;
  for (const unsigned flags : wanted) {
    r = open(entries, flags);
    if (r != -EINVAL) break;
  }
  return r;
}

ring::~ring() {
  if (sqes_) os_.munmap(sqes_, sqes_bytes_);
  if (rings_) os_.munmap(rings_, rings_bytes_);
  if (fd_ >= 0) os_.close(fd_);
}

io_uring_sqe* ring::next() noexcept {
  if (local_tail_ - load(sq_head_) >= sq_entries_) return nullptr;
  io_uring_sqe* sqe = &sqes_[local_tail_++ & sq_mask_];
  std::memset(sqe, 0, sizeof *sqe);
  return sqe;
}

int ring::enter(unsigned complete, const timespec* timeout) noexcept {
  store(sq_tail_, local_tail_);
  const unsigned submit = local_tail_ - load(sq_head_);
  // GETEVENTS always: with DEFER_TASKRUN completions are made in here, and nowhere else.
  unsigned flags = IORING_ENTER_GETEVENTS;
  __kernel_timespec ts{};
  io_uring_getevents_arg arg{};
  if (timeout == nullptr || complete == 0) {
    return os_.io_uring_enter(fd_, submit, complete, flags, nullptr, 0);
  }
  ts.tv_sec = timeout->tv_sec;
  ts.tv_nsec = timeout->tv_nsec;
  arg.ts = reinterpret_cast<std::uint64_t>(&ts);
  flags |= IORING_ENTER_EXT_ARG;
  return os_.io_uring_enter(fd_, submit, complete, flags, &arg, sizeof arg);
}

const io_uring_cqe* ring::front() const noexcept {
  const unsigned head = *cq_head_;
  return head == load(cq_tail_) ? nullptr : &cqes_[head & cq_mask_];
}

void ring::pop() noexcept { store(cq_head_, *cq_head_ + 1); }

bool ring::overflown() const noexcept { return (load(sq_flags_) & IORING_SQ_CQ_OVERFLOW) != 0; }

}  // namespace iolite

// See faulty_ring.hpp; the memory layout is that of io_uring_setup(2).
#include "kernel/faulty_ring.hpp"

#include <algorithm>

namespace iolite {
namespace {

unsigned load(const unsigned* p) noexcept { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

}  // namespace

void faulty_ring::made(int fd, const io_uring_params& p) noexcept {
  *this = {};
  fd_ = fd;
  params_ = p;
}

void faulty_ring::mapped(long address, long offset) noexcept {
  if (offset == static_cast<long>(IORING_OFF_SQ_RING)) rings_ = reinterpret_cast<char*>(address);
  if (offset == static_cast<long>(IORING_OFF_SQES))
    sqes_ = reinterpret_cast<io_uring_sqe*>(address);
}

unsigned* faulty_ring::word(unsigned offset) const noexcept {
  return reinterpret_cast<unsigned*>(rings_ + offset);
}

void faulty_ring::before_enter(decider& d) noexcept {
  if (!rings_ || !sqes_) return;
  const unsigned tail = load(word(params_.sq_off.tail));
  const unsigned mask = *word(params_.sq_off.ring_mask);
  const unsigned* const array = word(params_.sq_off.array);
  for (; submissions_seen_ != tail; ++submissions_seen_) {
    io_uring_sqe& sqe = sqes_[array[submissions_seen_ & mask]];
    requests_[requests_seen_++ % remembered] = {sqe.user_data, sqe.opcode, sqe.file_index > 0};
    if (const unsigned most = d.most_bytes(sqe.opcode); most > 0) sqe.len = std::min(sqe.len, most);
  }
}

const faulty_ring::request* faulty_ring::request_of(std::uint64_t user_data) const noexcept {
  const std::size_t n = std::min(requests_seen_, remembered);
  for (std::size_t i = 1; i <= n; ++i) {
    const request& r = requests_[(requests_seen_ - i) % remembered];
    if (r.user_data == user_data) return &r;
  }
  return nullptr;
}

// A connection that nobody gets.
void faulty_ring::drop(int accepted, bool slot, kernel& below) const noexcept {
  if (!slot) return void(below.close(accepted));
  constexpr int nothing = -1;
  const io_uring_files_update update{.offset = static_cast<unsigned>(accepted),
                                     .resv = 0,
                                     .fds = reinterpret_cast<std::uint64_t>(&nothing)};
  below.io_uring_register(fd_, IORING_REGISTER_FILES_UPDATE, &update, 1);
}

void faulty_ring::after_enter(decider& d, kernel& below) noexcept {
  if (!rings_) return;
  const unsigned tail = load(word(params_.cq_off.tail));
  const unsigned head = *word(params_.cq_off.head);
  const unsigned mask = *word(params_.cq_off.ring_mask);
  auto* const cqes = reinterpret_cast<io_uring_cqe*>(word(params_.cq_off.cqes));
  // What the engine has taken meanwhile is past; the difference is right beyond 2^32, too.
  if (static_cast<int>(head - completions_seen_) > 0) completions_seen_ = head;
  for (; completions_seen_ != tail; ++completions_seen_) {
    io_uring_cqe& cqe = cqes[completions_seen_ & mask];
    const request* const r = request_of(cqe.user_data);
    const int error = r ? d.error_of(r->opcode) : 0;
    if (error == 0) continue;
    if (r->opcode == IORING_OP_ACCEPT && cqe.res >= 0) drop(cqe.res, r->into_slot, below);
    cqe.res = -error;
  }
}

}  // namespace iolite

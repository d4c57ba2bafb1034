// See faulty.hpp. One function, because the kernel interface is one function.
#include "kernel/faulty.hpp"

#include "kernel/ring_names.hpp"

#include <aio.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace iolite {

namespace {

void shorten(call& c, call_args& a, std::size_t bytes) noexcept {
  if (c == call::sendmsg) {  // the front of its first piece
    const iovec& first = *a.as<const msghdr*>(1)->msg_iov;
    a = call_args(a.word[0], first.iov_base, std::min(first.iov_len, bytes), a.word[2]);
    c = call::send;
  } else if (c == call::aio_read || c == call::aio_write) {
    auto& length = a.as<aiocb*>(0)->aio_nbytes;
    length = std::min(length, bytes);
  } else if (c == call::io_uring_enter) {  // fewer submissions, and then it waits for nothing
    if (a.as<std::size_t>(1) <= bytes) return;
    a.word[1] = static_cast<long>(bytes);
    a.word[2] = 0;
    a.word[3] &= ~long{IORING_ENTER_GETEVENTS};
  } else {
    a.word[2] = std::min(a.word[2], static_cast<long>(bytes));
  }
}

}  // namespace

faulty::faulty(kernel& below, std::vector<fault> plan) noexcept
    : below_(below), plan_(std::move(plan)) {}

long faulty::invoke(call c, const call_args& a) noexcept {
  if (!armed_.load(std::memory_order_relaxed)) return pass(c, a);
  const auto n = ++seen_[static_cast<std::size_t>(c)];
  call_args args = a;
  call made = c;
  for (const fault& f : plan_) {
    if (f.what != c || n < f.nth || n - f.nth >= f.times) continue;
    ++injected_;
    if (f.delay > clock::duration::zero()) {
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(f.delay).count();
      const timespec t{ns / 1'000'000'000, ns % 1'000'000'000};
      below_.nanosleep(&t);
    }
    // A failed close(2) has still given the number back: close(2), "Dealing with error returns".
    if (f.error != 0 && c == call::close) pass(c, a);
    if (f.error != 0) return -f.error;
    if (f.shorten_to > 0) shorten(made, args, f.shorten_to);
  }
  return pass(made, args);
}

long faulty::pass(call c, const call_args& a) noexcept {
  if (!watches_rings_) return below_.invoke(c, a);
  if (c == call::io_uring_enter) return enter(a);
  if (c == call::close) forget_ring(a.as<int>(0));
  if (c == call::io_uring_register && refuses(a)) return -EINVAL;
  const long r = below_.invoke(c, a);
  if (c != call::io_uring_setup && c != call::mmap) return r;
  const std::lock_guard hold(rings_lock_);
  if (c == call::io_uring_setup && r >= 0) {
    faulty_ring* const free = ring_of(-1);
    if (free) free->made(static_cast<int>(r), *a.as<const io_uring_params*>(1));
  } else if (c == call::mmap && (r >= 0 || r <= -4096)) {
    faulty_ring* const its = a.as<int>(3) < 0 ? nullptr : ring_of(a.as<int>(3));
    if (its) its->mapped(r, a.word[4]);
  }
  return r;
}

// --- completions ---

// A caller that does not learn how much was received cannot know where its next bytes are, so
// there are no incremental buffers.
bool faulty::refuses(const call_args& a) const noexcept {
  if (completion_plan_.empty() || a.as<unsigned>(1) != IORING_REGISTER_PBUF_RING) return false;
  io_uring_buf_reg reg;
  std::memcpy(&reg, a.as<const void*>(2), sizeof reg);
  return (flags_of(reg) & ring_buffers_incremental) != 0;
}

faulty_ring* faulty::ring_of(int fd) noexcept {
  const auto it = std::ranges::find(rings_, fd, &faulty_ring::fd);
  return it == rings_.end() ? nullptr : &*it;
}

void faulty::forget_ring(int fd) noexcept {
  const std::lock_guard hold(rings_lock_);
  if (faulty_ring* its = fd < 0 ? nullptr : ring_of(fd)) its->closed();
}

// One thread uses a ring, so what it knows needs no lock.
long faulty::enter(const call_args& a) noexcept {
  faulty_ring* its = nullptr;
  {
    const std::lock_guard hold(rings_lock_);
    its = ring_of(a.as<int>(0));
  }
  if (!its) return below_.invoke(call::io_uring_enter, a);
  its->before_enter(*this);
  const long r = below_.invoke(call::io_uring_enter, a);
  its->after_enter(*this, below_);
  return r;
}

void faulty::fail_completions(std::vector<completion_fault> plan) noexcept {
  completion_plan_ = std::move(plan);
  watches_rings_ = true;
}

const completion_fault* faulty::planned(unsigned opcode, bool shortens, std::uint64_t n) noexcept {
  for (const completion_fault& f : completion_plan_) {
    const bool same_kind = f.opcode == opcode && (f.shorten_to > 0) == shortens;
    if (same_kind && n >= f.nth && n - f.nth < f.times) return ++injected_, &f;
  }
  return nullptr;
}

unsigned faulty::most_bytes(unsigned opcode) noexcept {
  if (opcode >= opcodes || !armed_) return 0;
  const completion_fault* f = planned(opcode, true, ++requested_[opcode]);
  return f ? f->shorten_to : 0;
}

int faulty::error_of(unsigned opcode) noexcept {
  if (opcode >= opcodes || !armed_) return 0;
  const completion_fault* f = planned(opcode, false, ++completed_[opcode]);
  return f ? f->error : 0;
}

std::uint64_t faulty::completions(unsigned opcode) const noexcept {
  return opcode < opcodes ? completed_[opcode].load() : 0;
}

std::uint64_t faulty::calls(call c) const noexcept { return seen_[static_cast<std::size_t>(c)]; }

}  // namespace iolite

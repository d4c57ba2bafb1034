// See buffer_ring.hpp.
#include "engines/io_uring/buffer_ring.hpp"

#include "base/assert.hpp"
#include "core/process.hpp"
#include "kernel/ring_names.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <utility>

namespace iolite {
namespace {

int register_ring(ring& r, std::uint16_t group, std::span<io_uring_buf> entries,
                  std::uint16_t flags) noexcept {
  io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<std::uint64_t>(entries.data());
  reg.ring_entries = static_cast<unsigned>(entries.size());
  reg.bgid = group;
  flags_of(reg) = flags;
  return r.register_with(IORING_REGISTER_PBUF_RING, &reg, 1);
}

}  // namespace

bool buffer_ring::prepare() noexcept {
  if (!on_.buffers()) return false;
  if (!std::exchange(tried_, true)) open();
  if (is_open()) stock();
  return true;
}

void buffer_ring::open() noexcept {
  by_.enable();
  ring& r = by_.to();
  const auto all = static_cast<unsigned>(on_.buffers()->buffers());
  most_ = std::min(group_ == multishot ? entries / 4 : entries, all / 4);
  wanted_ = std::min(wanted_, most_);
  const long p = on_.os().mmap(entries * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!kernel::is_address(p)) return;
  const std::span ring_entries(reinterpret_cast<io_uring_buf*>(p), entries);
  int registered = register_ring(r, group_, ring_entries, ring_buffers_incremental);
  if (registered == -EINVAL) {
    incremental_ = false;
    wanted_ = std::min(entries / 4, most_);
    registered = register_ring(r, group_, ring_entries, 0);
  }
  if (registered < 0) {
    on_.os().munmap(ring_entries.data(), entries * sizeof(io_uring_buf));
    return;
  }
  entries_ = ring_entries.data();
  opened_in_ = fork_count();
}

void buffer_ring::close() noexcept {
  if (!is_open()) return;
  io_uring_buf_reg reg{};
  reg.bgid = group_;
  // A child of fork(2) shares the ring with its parent, whose buffers they are.
  if (opened_in_ == fork_count())
    static_cast<void>(by_.to().register_with(IORING_UNREGISTER_PBUF_RING, &reg, 1));
  on_.os().munmap(std::exchange(entries_, nullptr), entries * sizeof(io_uring_buf));
  for (slot& s : slots_) {
    if (s.buffer) on_.buffers()->give(std::exchange(s.buffer, nullptr));
  }
  lent_now(0);
}

void buffer_ring::lent_now(unsigned buffers) noexcept {
  lent_ = buffers;
  if (group_ == single) on_.buffers()->kernel_has(lent_);
}

void buffer_ring::stock() noexcept {
  if (lent_ >= wanted_) return;
  buffer_pool& pool = *on_.buffers();
  const std::uint16_t before = tail_;
  while (lent_ < wanted_) {
    std::byte* const buffer = pool.take();
    if (!buffer) {  // what is left is for whoever needs it first
      wanted_ = std::min(few, most_);
      break;
    }
    while (slots_[next_slot_].buffer) next_slot_ = (next_slot_ + 1) % entries;
    slots_[next_slot_] = {.buffer = buffer};
    io_uring_buf& entry = entries_[tail_++ % entries];
    entry.addr = reinterpret_cast<std::uint64_t>(buffer);
    entry.len = buffer_pool::buffer_bytes;
    entry.bid = static_cast<std::uint16_t>(next_slot_);
    lent_now(lent_ + 1);
  }
  // The tail lies in the unused field of the first entry: see struct io_uring_buf_ring.
  if (tail_ != before) __atomic_store_n(&entries_[0].resv, tail_, __ATOMIC_RELEASE);
}

std::byte* buffer_ring::taken(const io_uring_cqe& cqe) noexcept {
  if (cqe.res == -ENOBUFS) wanted_ = std::min(2 * wanted_, most_);
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return nullptr;
  const std::size_t id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  IOLITE_ASSERT(id < slots_.size() && slots_[id].buffer, "the kernel fills a buffer it was lent");
  buffer_pool& pool = *on_.buffers();
  slot& s = slots_[id];
  std::byte* at = nullptr;
  if (cqe.res > 0) {
    at = s.buffer + s.filled;
    s.filled += static_cast<std::uint32_t>(cqe.res);
    IOLITE_ASSERT(s.filled <= buffer_pool::buffer_bytes, "a buffer is filled to its end at most");
    pool.hold(at);
    if (!incremental_) at = pool.pack(at, s.filled);
  }
  if ((cqe.flags & ring_buffer_has_more) == 0) {
    lent_now(lent_ - 1);
    pool.give(std::exchange(s.buffer, nullptr));
  }
  return at;
}

}  // namespace iolite

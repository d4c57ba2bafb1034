// See buffer_ring.hpp.
#include "engines/buffer_ring.hpp"

#include "core/assert.hpp"
#include "kernel/ring_names.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <utility>

namespace iolite {
namespace {

constexpr std::size_t ring_bytes = sizeof(io_uring_buf) * buffer_pool::buffers;
static_assert((buffer_pool::buffers & (buffer_pool::buffers - 1)) == 0, "a ring is a power of two");

std::byte* buffer_of(const buffer_pool& pool, std::size_t id) noexcept {
  return pool.memory() + id * buffer_pool::buffer_bytes;
}

int register_ring(ring& r, std::uint16_t group, io_uring_buf* entries,
                  std::uint16_t flags) noexcept {
  io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<std::uint64_t>(entries);
  reg.ring_entries = buffer_pool::buffers;
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
  const long p =
      on_.os().mmap(ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p < 0 && p > -4096) return;
  auto* const entries = reinterpret_cast<io_uring_buf*>(p);
  int registered = register_ring(r, group_, entries, ring_buffers_incremental);
  if (registered == -EINVAL) {
    incremental_ = false;
    wanted_ = buffer_pool::buffers / 4;  // the other group wants some, too
    registered = register_ring(r, group_, entries, 0);
  }
  if (registered < 0) {
    on_.os().munmap(entries, ring_bytes);
    return;
  }
  entries_ = entries;
}

void buffer_ring::close() noexcept {
  if (!is_open()) return;
  io_uring_buf_reg reg{};
  reg.bgid = group_;
  static_cast<void>(by_.to().register_with(IORING_UNREGISTER_PBUF_RING, &reg, 1));
  on_.os().munmap(std::exchange(entries_, nullptr), ring_bytes);
  for (std::size_t id = 0; id < parts_.size(); ++id) {
    if (std::exchange(parts_[id].lent, false)) on_.buffers()->give(buffer_of(*on_.buffers(), id));
  }
}

void buffer_ring::stock() noexcept {
  if (lent_ >= wanted_) return;
  buffer_pool& pool = *on_.buffers();
  const std::uint16_t before = tail_;
  while (lent_ < wanted_) {
    std::byte* const buffer = pool.take();
    if (!buffer) break;
    const std::size_t id = pool.index_of(buffer);
    io_uring_buf& entry = entries_[tail_++ % buffer_pool::buffers];
    entry.addr = reinterpret_cast<std::uint64_t>(buffer);
    entry.len = buffer_pool::buffer_bytes;
    entry.bid = static_cast<std::uint16_t>(id);
    parts_[id] = {.lent = true};
    ++lent_;
  }
  // The tail lies in the unused field of the first entry: see struct io_uring_buf_ring.
  if (tail_ != before) __atomic_store_n(&entries_[0].resv, tail_, __ATOMIC_RELEASE);
}

std::byte* buffer_ring::taken(const io_uring_cqe& cqe) noexcept {
  if (cqe.res == -ENOBUFS) wanted_ = std::min(2 * wanted_, most_);
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return nullptr;
  const std::size_t id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  IOLITE_ASSERT(id < parts_.size() && parts_[id].lent, "the kernel fills a buffer it was lent");
  buffer_pool& pool = *on_.buffers();
  part& p = parts_[id];
  std::byte* const buffer = buffer_of(pool, id);
  std::byte* at = nullptr;
  if (cqe.res > 0) {
    at = buffer + p.filled;
    p.filled += static_cast<std::uint32_t>(cqe.res);
    IOLITE_ASSERT(p.filled <= buffer_pool::buffer_bytes, "a buffer is filled to its end at most");
    pool.hold(at);
    if (!incremental_) at = pool.pack(at, p.filled);
  }
  if ((cqe.flags & ring_buffer_has_more) == 0) {
    p.lent = false;
    --lent_;
    pool.give(buffer);
  }
  return at;
}

}  // namespace iolite

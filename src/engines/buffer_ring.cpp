// See buffer_ring.hpp.
#include "engines/buffer_ring.hpp"

#include "core/assert.hpp"

#include <sys/mman.h>
#include <utility>

namespace iolite {
namespace {

constexpr std::size_t ring_bytes = sizeof(io_uring_buf) * buffer_pool::buffers;
static_assert((buffer_pool::buffers & (buffer_pool::buffers - 1)) == 0, "a ring is a power of two");

}  // namespace

void buffer_ring::open(ring& r, buffer_pool& pool) noexcept {
  tried_ = true;
  const long p = os_.mmap(ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p < 0 && p > -4096) return;
  io_uring_buf_reg reg{};
  reg.ring_addr = static_cast<std::uint64_t>(p);
  reg.ring_entries = buffer_pool::buffers;
  reg.bgid = group;
  if (r.register_with(IORING_REGISTER_PBUF_RING, &reg, 1) < 0) {
    os_.munmap(reinterpret_cast<void*>(p), ring_bytes);
    return;
  }
  entries_ = reinterpret_cast<io_uring_buf*>(p);
  stock(pool);
}

void buffer_ring::close(ring& r, buffer_pool& pool) noexcept {
  io_uring_buf_reg reg{};
  reg.bgid = group;
  static_cast<void>(r.register_with(IORING_UNREGISTER_PBUF_RING, &reg, 1));
  os_.munmap(std::exchange(entries_, nullptr), ring_bytes);
  for (std::size_t id = 0; id < lent_.size(); ++id) {
    if (std::exchange(lent_[id], false)) pool.give(pool.memory() + id * buffer_pool::buffer_bytes);
  }
}

void buffer_ring::stock(buffer_pool& pool) noexcept {
  const std::uint16_t before = tail_;
  while (std::byte* buffer = pool.take()) {
    const auto id = static_cast<std::size_t>(buffer - pool.memory()) / buffer_pool::buffer_bytes;
    io_uring_buf& entry = entries_[tail_++ % buffer_pool::buffers];
    entry.addr = reinterpret_cast<std::uint64_t>(buffer);
    entry.len = buffer_pool::buffer_bytes;
    entry.bid = static_cast<std::uint16_t>(id);
    lent_[id] = true;
  }
  // The tail lies in the unused field of the first entry: see struct io_uring_buf_ring.
  if (tail_ != before) __atomic_store_n(&entries_[0].resv, tail_, __ATOMIC_RELEASE);
}

std::byte* buffer_ring::taken(buffer_pool& pool, std::size_t id) noexcept {
  IOLITE_ASSERT(id < lent_.size() && lent_[id], "the kernel fills a buffer it was lent");
  lent_[id] = false;
  return pool.memory() + id * buffer_pool::buffer_bytes;
}

}  // namespace iolite

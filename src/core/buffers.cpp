// See buffer.hpp.
#include "iolite/buffer.hpp"

#include "core/assert.hpp"
#include "kernel/kernel.hpp"

#include <new>
#include <sys/mman.h>

namespace iolite {
namespace {

constexpr std::size_t pool_bytes = buffer_pool::buffer_bytes * buffer_pool::buffers;

}  // namespace

std::unique_ptr<buffer_pool> buffer_pool::make(engine& owner) noexcept {
  try {
    std::vector<std::uint16_t> free(buffers);
    for (std::size_t i = 0; i < buffers; ++i) free[i] = static_cast<std::uint16_t>(buffers - 1 - i);
    std::unique_ptr<buffer_pool> pool(new buffer_pool(owner));
    pool->free_ = std::move(free);
    const long p =
        owner.os().mmap(pool_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096) return nullptr;
    pool->memory_ = reinterpret_cast<std::byte*>(p);
    return pool;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

buffer_pool::~buffer_pool() {
  IOLITE_ASSERT(free_.size() == buffers, "leases go back before their engine ends");
  if (memory_) owner_.os().munmap(memory_, pool_bytes);
}

std::byte* buffer_pool::take() noexcept {
  if (free_.empty()) return nullptr;
  const std::size_t index = free_.back();
  free_.pop_back();
  return memory_ + index * buffer_bytes;
}

void buffer_pool::give(std::byte* buffer) noexcept {
  const auto index = static_cast<std::size_t>(buffer - memory_) / buffer_bytes;
  free_.push_back(static_cast<std::uint16_t>(index));
  owner_.buffer_returned();
}

}  // namespace iolite

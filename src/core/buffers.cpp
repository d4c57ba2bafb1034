// See buffer.hpp.
#include "iolite/buffer.hpp"

#include "core/assert.hpp"
#include "kernel/kernel.hpp"

#include <cstring>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace iolite {
namespace {

constexpr std::size_t pool_bytes = buffer_pool::buffer_bytes * buffer_pool::buffers;
constexpr std::size_t few = 2048;  // bytes: to move them costs less than a buffer that is missing

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
  if (current_) give(current_);
  IOLITE_ASSERT(free_.size() == buffers, "leases go back before their engine ends");
  if (memory_) owner_.os().munmap(memory_, pool_bytes);
}

std::byte* buffer_pool::take() noexcept {
  if (free_.empty()) return nullptr;
  const std::size_t index = free_.back();
  free_.pop_back();
  holders_[index] = 1;
  return memory_ + index * buffer_bytes;
}

std::span<std::byte> buffer_pool::room() noexcept {
  if (!current_ || buffer_bytes - filled_ < room_min) {
    std::byte* const next = take();
    if (!next) return {};
    filled_ = 0;
    if (std::byte* const old = std::exchange(current_, next)) give(old);
  }
  return {current_ + filled_, buffer_bytes - filled_};
}

void buffer_pool::fill(std::size_t bytes) noexcept {
  hold(current_);
  filled_ += bytes;
}

std::byte* buffer_pool::pack(std::byte* buffer, std::size_t bytes) noexcept {
  if (bytes > few) return buffer;
  const auto to = room();
  if (to.empty()) return buffer;
  std::memcpy(to.data(), buffer, bytes);
  fill(bytes);
  give(buffer);
  return to.data();
}

void buffer_pool::give(const std::byte* at) noexcept {
  const std::size_t index = index_of(at);
  const unsigned left = --holders_[index];
  if (left == 0) free_.push_back(static_cast<std::uint16_t>(index));
  else if (left == 1 && current_ && index == index_of(current_)) filled_ = 0;  // from its begin on
  else return;
  owner_.buffer_returned();
}

}  // namespace iolite

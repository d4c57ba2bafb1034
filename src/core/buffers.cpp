// See buffer.hpp.
#include "iolite/core/buffer.hpp"

#include "base/assert.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace iolite {
namespace {

constexpr std::size_t few = 2048;  // bytes: to move them costs less than a buffer that is missing
constexpr std::size_t shared_bytes = 4096;
constexpr std::size_t step_bytes = buffer_pool::step_buffers * buffer_pool::buffer_bytes;
static_assert(buffer_pool::step_buffers == 64, "a word has a bit for each buffer of a step");
static_assert(buffer_pool::buffer_bytes / buffer_pool::piece_bytes == 64);

// Of a piece.
constexpr int nobody = -1;
constexpr int gone = -2;  // whoever has it is closed
// A descriptor finds its piece at one of so many places.
constexpr std::size_t window = 8;

}  // namespace

buffer_pool::buffer_pool(engine& owner, std::size_t all) noexcept
    : owner_(owner), buffers_(all - all / 8), reserve_(all / 8) {}

// MAP_NORESERVE: the limit is seldom reached, and pages that nobody uses should count nowhere.
std::unique_ptr<buffer_pool> buffer_pool::make(engine& owner, std::size_t bytes) noexcept {
  for (bytes = std::clamp(bytes, bytes_min, bytes_max);; bytes = std::max(bytes / 2, bytes_min)) {
    const std::size_t all = bytes / buffer_bytes;
    const long p = owner.os().mmap(all * buffer_bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!kernel::is_address(p)) {
      if (bytes == bytes_min) return nullptr;
      continue;
    }
    auto* const memory = reinterpret_cast<std::byte*>(p);
    std::unique_ptr<buffer_pool> pool(new (std::nothrow) buffer_pool(owner, all));
    if (pool) pool->memory_ = memory;
    else owner.os().munmap(memory, all * buffer_bytes);
    return pool && pool->grow() ? std::move(pool) : nullptr;
  }
}

buffer_pool::~buffer_pool() {
  if (current_) give(current_);
  IOLITE_ASSERT(taken_ == 0 && pieces_taken_ == 0, "leases go back before their engine ends");
  owner_.os().munmap(memory_, (buffers_ + reserve_) * buffer_bytes);
}

// --- buffers ---

// All buffers of a step, as bits.
std::uint64_t buffer_pool::whole(std::size_t step) const noexcept {
  const std::size_t n = std::min(buffers_ - step * step_buffers, step_buffers);
  return ~std::uint64_t{0} >> (step_buffers - n);
}

// One more step. False: it has reached its limit, or there is no memory.
bool buffer_pool::grow() noexcept {
  const std::size_t step = free_.size();
  if (step * step_buffers >= buffers_) return false;
  try {
    holders_.resize((step + 1) * step_buffers);
    free_.push_back(whole(step));
  } catch (const std::bad_alloc&) {
    refused_ = true;
    return false;
  }
  return true;
}

// All of `step` is free. Its memory goes back, unless it will soon be needed again.
void buffer_pool::shrink(std::size_t step) noexcept {
  const auto has_much = [](std::uint64_t word) { return std::popcount(word) >= 32; };
  if (std::none_of(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(step), has_much))
    return;
  const std::size_t bytes = std::min(step_bytes, buffers_ * buffer_bytes - step * step_bytes);
  owner_.os().madvise(memory_ + step * step_bytes, bytes, MADV_DONTNEED);
  if (pieces_taken_ > 0 || pieces_of_.empty()) return;
  owner_.os().madvise(pieces(), reserve_ * buffer_bytes, MADV_DONTNEED);
  pieces_of_ = {};
}

// The first that is free: so that few are in use, and stay in the cache.
std::byte* buffer_pool::take() noexcept {
  while (first_ < free_.size() && free_[first_] == 0) ++first_;
  if (first_ == free_.size() && !grow()) return nullptr;
  std::uint64_t& word = free_[first_];
  const std::size_t index =
      first_ * step_buffers + static_cast<std::size_t>(std::countr_zero(word));
  word &= word - 1;
  ++taken_;
  holders_[index] = 1;
  return memory_ + index * buffer_bytes;
}

void buffer_pool::give(const std::byte* at) noexcept {
  IOLITE_ASSERT(!owner_.runs_elsewhere(), "a lease is given back on the thread of its engine");
  refused_ = false;
  const std::size_t index = index_of(at);
  if (index >= buffers_) return give_piece(at);
  const unsigned left = --holders_[index];
  if (left == 0) {
    const std::size_t step = index / step_buffers;
    free_[step] |= std::uint64_t{1} << (index % step_buffers);
    first_ = std::min(first_, step);
    --taken_;
    if (step > 0 && free_[step] == whole(step)) shrink(step);
  } else if (left == 1 && current_ && index == index_of(current_)) {
    filled_ = 0;  // from its begin on
  } else {
    return;
  }
  owner_.buffer_returned();
}

bool buffer_pool::has_room() const noexcept {
  const std::size_t made = std::min(free_.size() * step_buffers, buffers_);
  return with_kernel_ > 0 || taken_ < (refused_ ? made : buffers_) ||
         (current_ && buffer_bytes - filled_ >= room_min);
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
  if (to.empty()) {
    share(buffer, bytes);
    return buffer;
  }
  std::memcpy(to.data(), buffer, bytes);
  fill(bytes);
  give(buffer);
  return to.data();
}

// What is left of a whole buffer is room for the others.
void buffer_pool::share(std::byte* buffer, std::size_t bytes) noexcept {
  const std::size_t index = index_of(buffer);
  const bool whole = index < buffers_ && buffer == memory_ + index * buffer_bytes;
  if (!whole || buffer == current_) return;
  hold(buffer);
  filled_ = bytes;
  if (std::byte* const old = std::exchange(current_, buffer)) give(old);
  owner_.buffer_returned();
}

// --- pieces ---

// The place of a piece that `fd` may have, or null. Those of neighbouring descriptors lie side by
// side, so that nearly each descriptor has a place of its own.
int* buffer_pool::place_for(int fd) noexcept {
  int* free = nullptr;
  for (std::size_t i = 0; i < window; ++i) {
    int& place = pieces_of_[(static_cast<unsigned>(fd) + i) % piece_count()];
    if (place == fd) return nullptr;
    if (place == nobody && !free) free = &place;
  }
  return free;
}

bool buffer_pool::has_piece_for(int fd) const noexcept {
  if (pieces_of_.empty()) return !refused_;
  return const_cast<buffer_pool*>(this)->place_for(fd) != nullptr;
}

std::span<std::byte> buffer_pool::piece_for(int fd) noexcept {
  if (pieces_of_.empty()) {
    try {
      pieces_of_.resize(piece_count(), nobody);
    } catch (const std::bad_alloc&) {
      refused_ = true;
      return {};
    }
  }
  int* const place = place_for(fd);
  if (!place) return {};
  *place = fd;
  ++pieces_taken_;
  return {pieces() + (place - pieces_of_.data()) * std::ptrdiff_t{piece_bytes}, piece_bytes};
}

void buffer_pool::give_piece(const std::byte* at) noexcept {
  pieces_of_[static_cast<std::size_t>(at - pieces()) / piece_bytes] = nobody;
  --pieces_taken_;
  owner_.buffer_returned();
}

void buffer_pool::forget(int fd) noexcept {
  if (pieces_taken_ == 0) return;
  for (std::size_t i = 0; i < window; ++i) {
    int& place = pieces_of_[(static_cast<unsigned>(fd) + i) % piece_count()];
    if (place == fd) place = gone;
  }
}

std::span<std::byte> buffer_pool::alone_for(int fd) noexcept {
  if (std::byte* const buffer = take()) return {buffer, buffer_bytes};
  const auto rest = room();
  if (rest.empty()) return piece_for(fd);
  const auto part = rest.first(std::min(rest.size(), shared_bytes));  // there is no other buffer
  fill(part.size());
  return part;
}

bool buffer_pool::can_serve(int fd) const noexcept { return has_room() || has_piece_for(fd); }

}  // namespace iolite

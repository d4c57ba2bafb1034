// Buffers that an engine lends: a connection that waits for data holds none.
//
// stream::recv_lease() gives a `lease` whose bytes are in a buffer of the engine's pool; destroying
// it gives the buffer back. An empty pool is back-pressure: receives wait until a lease comes back.
#pragma once
#include "iolite/engine.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace iolite {

// A fixed number of equal buffers in one piece of memory, of which only the used pages are backed.
// What is received fills a buffer bit by bit, so that small messages lie side by side and a large
// one finds room; a buffer is free again once no lease is on any part of it.
// Engine thread only. Outlives every lease: its destructor stops the program otherwise.
class buffer_pool {
 public:
  static constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
  static constexpr std::uint16_t buffers = 256;

  // Null: no memory.
  [[nodiscard]] static std::unique_ptr<buffer_pool> make(engine& owner) noexcept;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool();

  // A whole buffer, held once. Null: none is left.
  [[nodiscard]] std::byte* take() noexcept;
  // One more who holds the buffer that `at` is in, and one less.
  void hold(const std::byte* at) noexcept { ++holders_[index_of(at)]; }
  void give(const std::byte* at) noexcept;

  // Where the next bytes may go. Empty: no buffer is left.
  [[nodiscard]] std::span<std::byte> room() noexcept;
  // The first `bytes` of room() are a lease now, held once.
  void fill(std::size_t bytes) noexcept;

  // A whole buffer has got few `bytes`: they move to where they take no more room than that, and
  // the buffer is given back. Where they are from now on, held once; where they were if there is no
  // better place.
  [[nodiscard]] std::byte* pack(std::byte* buffer, std::size_t bytes) noexcept;

  // Whether take() or room() would give something.
  [[nodiscard]] bool has_room() const noexcept {
    return !free_.empty() || (current_ && buffer_bytes - filled_ >= room_min);
  }
  // All of them, one after the other: for engines whose kernel picks.
  [[nodiscard]] std::byte* memory() const noexcept { return memory_; }
  [[nodiscard]] std::size_t index_of(const std::byte* at) const noexcept {
    return static_cast<std::size_t>(at - memory_) / buffer_bytes;
  }

 private:
  // What is left of a buffer is passed over where it is less: large receives want room.
  static constexpr std::size_t room_min = buffer_bytes / 4;

  explicit buffer_pool(engine& owner) noexcept : owner_(owner) {}

  engine& owner_;
  std::byte* memory_ = nullptr;
  std::byte* current_ = nullptr;  // which room() is in, held for that
  std::size_t filled_ = 0;  // bytes of it
  std::array<std::uint32_t, buffers> holders_{};
  std::vector<std::uint16_t> free_;  // indices, the last given back on top: it is warm in the cache
};

// Move-only. Engine thread only.
class lease {
 public:
  lease() noexcept = default;
  lease(buffer_pool& from, const std::byte* data, std::size_t size) noexcept
      : from_(&from), at_(static_cast<std::uint32_t>(data - from.memory())),
        size_(static_cast<std::uint32_t>(size)) {}
  lease(lease&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), at_(other.at_), size_(other.size_) {}
  lease& operator=(lease&& other) noexcept {
    if (this != &other) {
      release();
      from_ = std::exchange(other.from_, nullptr);
      at_ = other.at_;
      size_ = other.size_;
    }
    return *this;
  }
  ~lease() { release(); }

  // What was received; empty: the end of the stream.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return from_ ? std::span<const std::byte>(from_->memory() + at_, size_)
                 : std::span<const std::byte>();
  }
  [[nodiscard]] bool empty() const noexcept { return bytes().empty(); }
  void release() noexcept {
    if (auto* const from = std::exchange(from_, nullptr)) from->give(from->memory() + at_);
  }

 private:
  buffer_pool* from_ = nullptr;
  std::uint32_t at_ = 0;  // in the pool's memory: a connection that waits keeps a lease, too
  std::uint32_t size_ = 0;
};
static_assert(sizeof(lease) <= 16);

}  // namespace iolite

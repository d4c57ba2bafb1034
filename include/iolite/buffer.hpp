// Buffers that an engine lends: a connection that waits for data holds none.
//
// stream::recv_lease() gives a `lease` whose bytes are in a buffer of the engine's pool; destroying
// it gives the buffer back. An empty pool is back-pressure: receives wait until a lease comes back.
#pragma once
#include "iolite/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace iolite {

// A fixed number of equal buffers in one piece of memory, of which only the used pages are backed.
// Engine thread only. Outlives every lease: its destructor stops the program otherwise.
class buffer_pool {
 public:
  static constexpr std::size_t buffer_bytes = std::size_t{16} * 1024;
  static constexpr std::uint16_t buffers = 256;

  // Null: no memory.
  [[nodiscard]] static std::unique_ptr<buffer_pool> make(engine& owner) noexcept;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool();

  // Null: none is left.
  [[nodiscard]] std::byte* take() noexcept;
  void give(std::byte* buffer) noexcept;
  [[nodiscard]] std::size_t available() const noexcept { return free_.size(); }

  // All the buffers, one after the other: for engines whose kernel picks.
  [[nodiscard]] std::byte* memory() const noexcept { return memory_; }

 private:
  explicit buffer_pool(engine& owner) noexcept : owner_(owner) {}

  engine& owner_;
  std::byte* memory_ = nullptr;
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

// Buffers that an engine lends, so that a connection that waits for data holds none.
//
// stream::recv_lease() gives a `lease` on bytes in a buffer of the engine's pool; destroying the
// lease returns the buffer. Memory is bounded: a receive that finds no buffer waits until a lease
// is returned.
#pragma once
#include "iolite/core/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace iolite {

// Buffers of equal size in one reservation of address space, of which only used pages are backed by
// memory. Received data fills a buffer from front to back, so small messages lie side by side and a
// large one finds room. A buffer is free again once no lease refers to any part of it.
//
// The pool grows in steps up to a limit (engine_options::lease_memory) and returns the memory of a
// step once all of it is free. When every buffer is in use, a reserve of an eighth of the limit
// serves each connection that holds no lease with a piece of 1 KiB. Connections that keep their
// leases therefore slow the others down but do not stop them.
// Engine thread only. The pool must outlive every lease; its destructor stops the program
// otherwise.
class buffer_pool {
 public:
  static constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
  static constexpr std::size_t step_buffers = 64;
  static constexpr std::size_t piece_bytes = 1024;
  static constexpr std::size_t bytes_min = 16 * buffer_bytes;
  static constexpr std::size_t bytes_max = 65'536 * buffer_bytes;  // a lease has 32 bits for it

  // Makes a pool of at most `bytes`, in whole buffers within the bounds above, or of less if
  // address space is short. Null: no memory.
  [[nodiscard]] static std::unique_ptr<buffer_pool> make(engine& owner, std::size_t bytes) noexcept;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool();

  // A whole buffer with one holder. Null: none is left.
  [[nodiscard]] std::byte* take() noexcept;
  // Adds a holder to the buffer that contains `at`, and removes one. A piece has one holder.
  void hold(const std::byte* at) noexcept { ++holders_[index_of(at)]; }
  void give(const std::byte* at) noexcept;

  // Where the next bytes may be received. Empty: no buffer is left.
  [[nodiscard]] std::span<std::byte> room() noexcept;
  // Turns the first `bytes` of room() into a lease with one holder.
  void fill(std::size_t bytes) noexcept;

  // Moves the few `bytes` that a whole buffer has received to where they take only that much room,
  // and returns the buffer. Gives their new address, with one holder. If there is no such place
  // they stay, and the rest of the buffer becomes room().
  [[nodiscard]] std::byte* pack(std::byte* buffer, std::size_t bytes) noexcept;

  // A piece of the reserve with one holder, for the connection `fd`. Empty: the connection has one
  // already, or none is left.
  [[nodiscard]] std::span<std::byte> piece_for(int fd) noexcept;
  // `fd` is closed: the number may soon belong to another connection.
  void forget(int fd) noexcept;
  // Memory that nobody else uses, with one holder: a buffer, the rest of one, or a piece.
  [[nodiscard]] std::span<std::byte> alone_for(int fd) noexcept;
  // For engines whose kernel picks the buffer: how many of those taken the kernel holds.
  void kernel_has(unsigned buffers) noexcept { with_kernel_ = buffers; }
  // Whether a receive on `fd` would find memory: a buffer, a part of one, or a piece.
  [[nodiscard]] bool can_serve(int fd) const noexcept;

  [[nodiscard]] std::size_t buffers() const noexcept { return buffers_; }  // at its limit
  // All buffers in order, then the pieces: for engines whose kernel picks the buffer.
  [[nodiscard]] std::byte* memory() const noexcept { return memory_; }
  [[nodiscard]] std::size_t index_of(const std::byte* at) const noexcept {
    return static_cast<std::size_t>(at - memory_) / buffer_bytes;
  }

 private:
  // The rest of a buffer is skipped if it is smaller, because large receives need room.
  static constexpr std::size_t room_min = buffer_bytes / 4;

  buffer_pool(engine& owner, std::size_t all) noexcept;
  [[nodiscard]] bool grow() noexcept;
  void shrink(std::size_t step) noexcept;
  [[nodiscard]] std::uint64_t whole(std::size_t step) const noexcept;
  [[nodiscard]] bool has_room() const noexcept;
  void share(std::byte* buffer, std::size_t bytes) noexcept;
  [[nodiscard]] std::byte* pieces() const noexcept { return memory_ + buffers_ * buffer_bytes; }
  [[nodiscard]] std::size_t piece_count() const noexcept { return reserve_ * 64; }
  [[nodiscard]] int* place_for(int fd) noexcept;
  [[nodiscard]] bool has_piece_for(int fd) const noexcept;
  void give_piece(const std::byte* at) noexcept;

  engine& owner_;
  const std::size_t buffers_, reserve_;  // in buffers
  std::byte* memory_ = nullptr;
  std::byte* current_ = nullptr;  // which room() is in, held for that
  std::size_t filled_ = 0;  // bytes of it
  std::vector<std::uint32_t> holders_;
  std::vector<std::uint64_t> free_;  // a bit for each buffer, a word for each step
  std::size_t first_ = 0;  // no step before it has a free buffer
  std::size_t taken_ = 0;
  unsigned with_kernel_ = 0;
  std::vector<int> pieces_of_;  // the descriptor that has each piece; made when first needed
  std::size_t pieces_taken_ = 0;
  bool refused_ = false;  // there was no memory to grow with; try again when something comes back
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
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes().data()), bytes().size()};
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

// Buffers that an engine lends: a connection that waits for data holds none.
//
// stream::recv_lease() gives a `lease` whose bytes are in a buffer of the engine's pool; destroying
// it gives the buffer back. Memory is bounded: a receive that finds none waits until a lease comes
// back.
#pragma once
#include "iolite/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace iolite {

// Equal buffers in one piece of address space, of which only the used pages are backed. What is
// received fills a buffer bit by bit, so that small messages lie side by side and a large one finds
// room; a buffer is free again once no lease is on any part of it.
//
// The pool grows in steps, up to a limit (engine_options::lease_memory), and gives the memory of a
// step back once all of it is free. When every buffer is in use there is a reserve, an eighth of
// the limit: pieces of 1 KiB, one for each connection that has none. So connections that hold their
// leases make others slower, but do not stop them.
// Engine thread only. Outlives every lease: its destructor stops the program otherwise.
class buffer_pool {
 public:
  static constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
  static constexpr std::size_t step_buffers = 64;
  static constexpr std::size_t piece_bytes = 1024;
  static constexpr std::size_t bytes_min = 16 * buffer_bytes;
  static constexpr std::size_t bytes_max = 65'536 * buffer_bytes;  // a lease has 32 bits for it

  // Of `bytes` at most, in whole buffers between the bounds above; less where there is no address
  // space for it. Null: no memory.
  [[nodiscard]] static std::unique_ptr<buffer_pool> make(engine& owner, std::size_t bytes) noexcept;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool();

  // A whole buffer, held once. Null: none is left.
  [[nodiscard]] std::byte* take() noexcept;
  // One more who holds the buffer that `at` is in, and one less. A piece has one holder.
  void hold(const std::byte* at) noexcept { ++holders_[index_of(at)]; }
  void give(const std::byte* at) noexcept;

  // Where the next bytes may go. Empty: no buffer is left.
  [[nodiscard]] std::span<std::byte> room() noexcept;
  // The first `bytes` of room() are a lease now, held once.
  void fill(std::size_t bytes) noexcept;

  // A whole buffer has got few `bytes`: they move to where they take no more room than that, and
  // the buffer is given back. Where they are from now on, held once. Where there is no such place
  // they stay, and the rest of the buffer becomes room().
  [[nodiscard]] std::byte* pack(std::byte* buffer, std::size_t bytes) noexcept;

  // A piece of the reserve, held once, for the connection with the descriptor `fd`. Empty: it has
  // one already, or there is none.
  [[nodiscard]] std::span<std::byte> piece_for(int fd) noexcept;
  // `fd` is closed: from now on the number is another connection's.
  void forget(int fd) noexcept;
  // Room that nobody else uses, held once: a buffer, what is left of one, or a piece.
  [[nodiscard]] std::span<std::byte> alone_for(int fd) noexcept;
  // Where the kernel picks: so many of those taken are with it, for receives of any connection.
  void kernel_has(unsigned buffers) noexcept { with_kernel_ = buffers; }
  // Whether a receive would find room: a buffer, a part of one, or a piece for `fd`.
  [[nodiscard]] bool can_serve(int fd) const noexcept;

  [[nodiscard]] std::size_t buffers() const noexcept { return buffers_; }  // it may grow to
  // All of them, one after the other, then the pieces: for engines whose kernel picks.
  [[nodiscard]] std::byte* memory() const noexcept { return memory_; }
  [[nodiscard]] std::size_t index_of(const std::byte* at) const noexcept {
    return static_cast<std::size_t>(at - memory_) / buffer_bytes;
  }

 private:
  // What is left of a buffer is passed over where it is less: large receives want room.
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

// The pool's buffers, handed to the kernel so that it picks one when data has come:
// io_uring_register(2), IORING_REGISTER_PBUF_RING, Linux 5.19. From 6.12 on it fills a buffer bit
// by bit (IOU_PBUF_RING_INC), before that each receive takes a whole one.
#pragma once
#include "engines/ring.hpp"
#include "iolite/buffer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace iolite {

class buffer_ring {
 public:
  static constexpr std::uint16_t group = 0;

  explicit buffer_ring(kernel& os) noexcept : os_(os) {}
  buffer_ring(const buffer_ring&) = delete;
  buffer_ring& operator=(const buffer_ring&) = delete;

  [[nodiscard]] bool tried() const noexcept { return tried_; }
  [[nodiscard]] bool is_open() const noexcept { return entries_ != nullptr; }
  // Not open afterwards: this kernel has no buffer rings, or no memory for one.
  void open(ring& r, buffer_pool& pool) noexcept;
  void close(ring& r, buffer_pool& pool) noexcept;
  // Lends the kernel as many buffers as it should have.
  void stock(buffer_pool& pool) noexcept;
  // A receive found none: the kernel should have more.
  void grow() noexcept { wanted_ = std::min<unsigned>(2 * wanted_, buffer_pool::buffers); }
  // The receive of `cqe` has filled a part of a buffer, `cqe.res` bytes: now held once more. Null:
  // none.
  [[nodiscard]] std::byte* taken(buffer_pool& pool, const io_uring_cqe& cqe) noexcept;

 private:
  // Of a buffer that the kernel has.
  struct part {
    bool lent = false;
    std::uint32_t filled = 0;
  };
  static constexpr unsigned few = 4;  // they are used in turn, and should stay in the cache

  kernel& os_;
  io_uring_buf* entries_ = nullptr;
  std::array<part, buffer_pool::buffers> parts_{};
  std::uint16_t tail_ = 0;
  unsigned lent_ = 0;
  unsigned wanted_ = few;
  bool incremental_ = true;
  bool tried_ = false;
};

}  // namespace iolite

// The pool's buffers, handed to the kernel so that it picks one when data has come:
// io_uring_register(2), IORING_REGISTER_PBUF_RING, Linux 5.19.
#pragma once
#include "engines/ring.hpp"
#include "iolite/buffer.hpp"

#include <array>

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
  // Lends the kernel all that the pool has.
  void stock(buffer_pool& pool) noexcept;
  // The kernel has filled buffer `id`: it is ours again.
  [[nodiscard]] std::byte* taken(buffer_pool& pool, std::size_t id) noexcept;

 private:
  kernel& os_;
  io_uring_buf* entries_ = nullptr;
  std::array<bool, buffer_pool::buffers> lent_{};
  std::uint16_t tail_ = 0;
  bool tried_ = false;
};

}  // namespace iolite

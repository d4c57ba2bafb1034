// The pool's buffers, handed to the kernel so that it picks one when data has come:
// io_uring_register(2), IORING_REGISTER_PBUF_RING, Linux 5.19. From 6.12 on it fills a buffer bit
// by bit (IOU_PBUF_RING_INC), before that each receive takes a whole one.
//
// Which bits a completion is about only the order of completions tells. Those of receives that
// stand come at once and those of others at the end of a batch, so each kind has a ring: a group.
#pragma once
#include "engines/submitter.hpp"
#include "iolite/buffer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace iolite {

class buffer_ring {
 public:
  static constexpr std::uint16_t single = 0;  // a group of receives
  static constexpr std::uint16_t standing = 1;

  buffer_ring(submitter& by, engine& on, std::uint16_t group) noexcept
      : by_(by), on_(on), group_(group),
        most_(group == standing ? buffer_pool::buffers / 4 : buffer_pool::buffers) {}
  buffer_ring(const buffer_ring&) = delete;
  buffer_ring& operator=(const buffer_ring&) = delete;

  // Where the kernel has buffer rings, it has got buffers now. False: no memory for the pool.
  [[nodiscard]] bool prepare() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return entries_ != nullptr; }
  // Lends the kernel as many buffers as it should have.
  void stock() noexcept;
  void close() noexcept;
  // The receive of `cqe` has filled a part of a buffer, `cqe.res` bytes: now held once more. Null:
  // none.
  [[nodiscard]] std::byte* taken(const io_uring_cqe& cqe) noexcept;

 private:
  // Of a buffer that the kernel has.
  struct part {
    bool lent = false;
    std::uint32_t filled = 0;
  };
  static constexpr unsigned few = 4;  // they are used in turn, and should stay in the cache

  void open() noexcept;

  submitter& by_;
  engine& on_;
  const std::uint16_t group_;
  const unsigned most_;  // what is lent to one group, the other cannot have
  io_uring_buf* entries_ = nullptr;
  std::array<part, buffer_pool::buffers> parts_{};
  std::uint16_t tail_ = 0;
  unsigned lent_ = 0;
  unsigned wanted_ = few;
  bool incremental_ = true;
  bool tried_ = false;
};

}  // namespace iolite

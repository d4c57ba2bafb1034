// The pool's buffers, handed to the kernel so that it picks one when data has come:
// io_uring_register(2), IORING_REGISTER_PBUF_RING, Linux 5.19. From 6.12 on it fills a buffer bit
// by bit (IOU_PBUF_RING_INC), before that each receive takes a whole one.
//
// Which bits a completion is about only the order of completions tells. Those of receives that
// stand come at once and those of others at the end of a batch, so each kind has a ring: a group.
#pragma once
#include "engines/io_uring/submitter.hpp"
#include "iolite/core/buffer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace iolite {

class buffer_ring {
 public:
  static constexpr std::uint16_t single = 0;  // a group of receives
  static constexpr std::uint16_t multishot = 1;

  buffer_ring(submitter& by, engine& on, std::uint16_t group) noexcept
      : by_(by), on_(on), group_(group) {}
  buffer_ring(const buffer_ring&) = delete;
  buffer_ring& operator=(const buffer_ring&) = delete;

  // Where the kernel has buffer rings, it has got buffers now. False: no memory for the pool.
  [[nodiscard]] bool prepare() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return entries_ != nullptr; }
  // Whether the kernel has a buffer, as far as its completions have told.
  [[nodiscard]] bool lends() const noexcept { return lent_ > 0; }
  // Lends the kernel as many buffers as it should have.
  void stock() noexcept;
  void close() noexcept;
  // The receive of `cqe` has filled a part of a buffer, `cqe.res` bytes: now held once more. Null:
  // none.
  [[nodiscard]] std::byte* taken(const io_uring_cqe& cqe) noexcept;

 private:
  // A buffer that the kernel has. It knows it by the number of its slot, as the pool may have more
  // buffers than a ring has entries.
  struct slot {
    std::byte* buffer = nullptr;  // null: free
    std::uint32_t filled = 0;
  };
  static constexpr unsigned few = 4;  // they are used in turn, and should stay in the cache
  static constexpr unsigned entries = 256;  // a power of two: those of a ring, and its slots

  void open() noexcept;
  void lent_now(unsigned buffers) noexcept;

  submitter& by_;
  engine& on_;
  const std::uint16_t group_;
  unsigned most_ = entries;  // what is lent to one group, nobody else can have
  io_uring_buf* entries_ = nullptr;
  std::array<slot, entries> slots_{};
  unsigned next_slot_ = 0;  // where the search for a free one begins
  std::uint16_t tail_ = 0;
  unsigned lent_ = 0;
  unsigned wanted_ = few;
  unsigned opened_in_ = 0;  // which side of a fork
  bool incremental_ = true;
  bool tried_ = false;
};

}  // namespace iolite

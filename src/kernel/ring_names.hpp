// What <linux/io_uring.h> has no name for where it is older than the kernel: Debian 12 has that of
// Linux 6.1.
#pragma once
#include <cstdint>
#include <linux/io_uring.h>

namespace iolite {

constexpr std::uint16_t ring_accept_multishot = 1U << 0;  // IORING_ACCEPT_MULTISHOT, 5.19
constexpr std::uint16_t ring_receive_multishot = 1U << 1;  // IORING_RECV_MULTISHOT, 6.0
constexpr std::uint8_t ring_op_fixed_fd_install = 54;  // IORING_OP_FIXED_FD_INSTALL, 6.8
constexpr std::uint16_t ring_buffers_incremental = 2;  // IOU_PBUF_RING_INC, 6.12
constexpr std::uint32_t ring_buffer_has_more = 1U << 4;  // IORING_CQE_F_BUF_MORE, 6.12

// The flags of a ring of buffers.
[[nodiscard]] inline std::uint16_t& flags_of(io_uring_buf_reg& reg) noexcept {
#ifdef IOU_PBUF_RING_INC
  return reg.flags;
#else
  return reg.pad;
#endif
}

}  // namespace iolite

// SHA-1 (FIPS 180-4), for WebSocket's handshake, which needs no secret and no collision resistance.
// Not for anything else.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace iolite::detail {

class sha1 {
 public:
  void take(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] std::array<std::byte, 20> end() noexcept;  // of no more use then

 private:
  void take_block() noexcept;

  std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<std::byte, 64> block_{};
  std::size_t filled_ = 0;  // bytes of block_
  std::uint64_t total_ = 0;  // bytes
};

}  // namespace iolite::detail

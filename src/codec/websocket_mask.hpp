// Masking and unmasking, which are the same (RFC 6455, 5.3).
#pragma once
#include <array>
#include <cstddef>
#include <span>

namespace iolite::ws {

// `offset`: which byte of the payload is the first of `bytes`; only its lowest two bits count.
void apply_mask(std::span<std::byte> bytes, std::span<const std::byte, 4> key,
                std::size_t offset) noexcept;

}  // namespace iolite::ws

// See websocket_mask.hpp: as many bytes at a time as a vector register holds.
#include "codec/websocket_mask.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace iolite::ws {
namespace {

// Two registers of 16 bytes where there are no larger ones.
using block [[gnu::vector_size(32)]] = std::uint64_t;

template <class T>
void xor_at(std::byte* p, const T& with) noexcept {
  T some;
  std::memcpy(&some, p, sizeof some);
  some ^= with;
  std::memcpy(p, &some, sizeof some);
}

}  // namespace

void apply_mask(std::span<std::byte> bytes, std::span<const std::byte, 4> key,
                std::size_t offset) noexcept {
  std::array<std::byte, 8> turned;
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = key[(offset + i) % 4];
  const auto word = std::bit_cast<std::uint64_t>(turned);
  const block words = {word, word, word, word};
  std::byte* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof words; p += sizeof words, left -= sizeof words) xor_at(p, words);
  for (; left >= sizeof word; p += sizeof word, left -= sizeof word) xor_at(p, word);
  for (std::size_t i = 0; i < left; ++i) p[i] ^= turned[i];
}

}  // namespace iolite::ws

// See sha1.hpp.
#include "codec/sha1.hpp"

#include <bit>

namespace iolite::detail {
namespace {

using words = std::array<std::uint32_t, 80>;

std::uint32_t word_at(std::span<const std::byte> bytes) noexcept {
  std::uint32_t w = 0;
  for (const std::byte b : bytes.first(4)) w = w << 8 | std::to_integer<std::uint32_t>(b);
  return w;
}

words expanded(std::span<const std::byte, 64> block) noexcept {
  words w{};
  for (std::size_t i = 0; i < 16; ++i) w[i] = word_at(block.subspan(4 * i));
  for (std::size_t i = 16; i < w.size(); ++i)
    w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  return w;
}

struct mixed {
  std::uint32_t function, constant;
};

mixed mix(std::size_t round, std::uint32_t b, std::uint32_t c, std::uint32_t d) noexcept {
  if (round < 20) return {(b & c) | (~b & d), 0x5a827999};
  if (round < 40) return {b ^ c ^ d, 0x6ed9eba1};
  if (round < 60) return {(b & c) | (b & d) | (c & d), 0x8f1bbcdc};
  return {b ^ c ^ d, 0xca62c1d6};
}

}  // namespace

void sha1::take_block() noexcept {
  const words w = expanded(block_);
  auto [a, b, c, d, e] = state_;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const mixed m = mix(i, b, c, d);
    const std::uint32_t next = std::rotl(a, 5) + m.function + e + m.constant + w[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const std::array added{a, b, c, d, e};
  for (std::size_t i = 0; i < state_.size(); ++i) state_[i] += added[i];
  filled_ = 0;
}

void sha1::take(std::span<const std::byte> bytes) noexcept {
  total_ += bytes.size();
  for (const std::byte b : bytes) {
    block_[filled_++] = b;
    if (filled_ == block_.size()) take_block();
  }
}

std::array<std::byte, 20> sha1::end() noexcept {
  const std::uint64_t bits = total_ * 8;
  constexpr std::array one{std::byte{0x80}}, zero{std::byte{0}};
  take(one);
  while (filled_ != block_.size() - sizeof bits) take(zero);
  for (std::size_t i = sizeof bits; i-- > 0;) {
    const std::array next{static_cast<std::byte>(bits >> (8 * i))};
    take(next);
  }
  std::array<std::byte, 20> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::byte>(state_[i / 4] >> (8 * (3 - i % 4)));
  return digest;
}

}  // namespace iolite::detail

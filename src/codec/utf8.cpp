// See utf8.hpp. ASCII is passed in blocks, other characters are checked whole where they are.
#include "iolite/codec/utf8.hpp"

#include <array>
#include <cstring>

namespace iolite {
namespace {

struct expected_bytes {
  std::uint8_t count, lowest, highest;  // of continuation bytes; the bounds of the first of them
};
constexpr std::uint8_t impossible = 0xff;

// What follows the first byte of a character.
constexpr expected_bytes after(unsigned first) noexcept {
  if (first < 0xc2) return {impossible, 0, 0};  // a continuation byte, or an overlong form
  if (first < 0xe0) return {1, 0x80, 0xbf};
  if (first == 0xe0) return {2, 0xa0, 0xbf};  // below: overlong
  if (first == 0xed) return {2, 0x80, 0x9f};  // above: surrogates
  if (first < 0xf0) return {2, 0x80, 0xbf};
  if (first == 0xf0) return {3, 0x90, 0xbf};  // below: overlong
  if (first < 0xf4) return {3, 0x80, 0xbf};
  if (first == 0xf4) return {3, 0x80, 0x8f};  // above: more than U+10FFFF
  return {impossible, 0, 0};
}

constexpr auto expectations = [] {
  std::array<expected_bytes, 128> all{};
  for (unsigned i = 0; i < all.size(); ++i) all[i] = after(0x80 + i);
  return all;
}();

constexpr std::uint64_t high_bits = 0x8080808080808080;

std::uint64_t word_at(const std::uint8_t* p) noexcept {
  std::uint64_t w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

const std::uint8_t* past_ascii(const std::uint8_t* p, const std::uint8_t* end) noexcept {
  while (end - p >= 32) {
    const auto any = word_at(p) | word_at(p + 8) | word_at(p + 16) | word_at(p + 24);
    if ((any & high_bits) != 0) break;
    p += 32;
  }
  while (end - p >= 8 && (word_at(p) & high_bits) == 0) p += 8;
  while (p != end && *p < 0x80) ++p;
  return p;
}

}  // namespace

bool utf8_checker::take(std::span<const std::byte> piece) noexcept {
  const auto* p = reinterpret_cast<const std::uint8_t*>(piece.data());
  const auto* const end = p + piece.size();
  expected_bytes next{left_, lowest_, highest_};
  while (p != end) {
    if (next.count == 0) {
      p = past_ascii(p, end);
      if (p == end) break;
      next = expectations[*p++ - 0x80U];
      if (next.count == impossible) return false;
    }
    for (; next.count > 0 && p != end; --next.count, ++p) {
      if (*p < next.lowest || *p > next.highest) return false;
      next.lowest = 0x80;
      next.highest = 0xbf;
    }
  }
  left_ = next.count;
  lowest_ = next.lowest;
  highest_ = next.highest;
  return true;
}

bool is_utf8(std::span<const std::byte> text) noexcept {
  utf8_checker check;
  return check.take(text) && check.whole();
}

}  // namespace iolite

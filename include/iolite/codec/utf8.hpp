// Is this UTF-8? Asked piece by piece, of text that arrives in pieces: RFC 3629, table 3-7 of the
// Unicode standard. No overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace iolite {

// Pieces may be cut anywhere, also within a character. The answer comes with the first byte that
// cannot be part of UTF-8, whatever would follow.
class utf8_checker {
 public:
  // The next piece. False: this is no UTF-8, and nothing makes it so; only reset() may follow.
  [[nodiscard]] bool take(std::span<const std::byte> piece) noexcept;
  // Whether the text may end here: the pieces do not end within a character.
  [[nodiscard]] bool whole() const noexcept { return left_ == 0; }
  void reset() noexcept { *this = {}; }  // another text

 private:
  // What the character that has begun lacks: bytes, and the bounds of the first of them.
  std::uint8_t left_ = 0;
  std::uint8_t lowest_ = 0x80;
  std::uint8_t highest_ = 0xbf;
};

[[nodiscard]] bool is_utf8(std::span<const std::byte> text) noexcept;
[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
  return is_utf8(std::as_bytes(std::span(text)));
}

}  // namespace iolite

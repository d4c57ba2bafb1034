// See iolite/one_line.hpp.
#include "iolite/one_line.hpp"

#include <algorithm>
#include <cstdint>

namespace iolite {
namespace {

struct character {
  std::size_t bytes;
  bool safe;
};

std::uint8_t byte_at(std::string_view text, std::size_t i) noexcept {
  return static_cast<std::uint8_t>(text[i]);
}

// Line breaks, marks and overrides of direction, and the invisible mark of the byte order: Unicode,
// categories Zl, Zp, and UAX 9.
bool is_unsafe(std::uint32_t code) noexcept {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

// The first character of `text`, which is not empty. A byte that begins none is one by itself.
// utf-8(7); overlong forms, surrogates and what lies beyond U+10FFFF are no UTF-8.
character first_of(std::string_view text) noexcept {
  const std::uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return {1, !is_unsafe(lead)};
  const std::size_t bytes = lead < 0xc2   ? 0
                            : lead < 0xe0 ? 2
                            : lead < 0xf0 ? 3
                            : lead < 0xf5 ? 4
                                          : 0;
  if (bytes == 0 || text.size() < bytes) return {1, false};
  std::uint32_t code = lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const std::uint8_t more = byte_at(text, i);
    if ((more & 0xc0) != 0x80) return {1, false};
    code = code << 6 | (more & 0x3fU);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < least[bytes] || surrogate || code > 0x10ffff) return {1, false};
  return {bytes, !is_unsafe(code)};
}

void append(std::string& out, std::string_view bytes, bool safe) {
  if (safe) {
    out += bytes;
    return;
  }
  constexpr char digits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto b = static_cast<std::uint8_t>(c);
    out += {'\\', 'x', digits[b >> 4], digits[b & 15]};
  }
}

}  // namespace

std::string one_line(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view cut = "...";
  const std::size_t room = std::max<std::size_t>(bytes_max, cut.size() + 1);
  std::string out;
  std::size_t fits = 0;  // of `out`, with the mark of the cut behind it
  while (!text.empty()) {
    const character c = first_of(text);
    append(out, text.substr(0, c.bytes), c.safe);
    if (out.size() > room) {
      out.resize(fits);
      out += cut;
      break;
    }
    if (out.size() + cut.size() <= room) fits = out.size();
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace iolite

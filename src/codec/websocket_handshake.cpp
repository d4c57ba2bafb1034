// See websocket_handshake.hpp.
#include "iolite/codec/websocket_handshake.hpp"

#include "codec/sha1.hpp"

#include <cstdint>

namespace iolite::ws {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3

// RFC 4648, 4: three bytes are four letters; what is missing of the last three is `=`.
template <std::size_t Letters>
std::array<char, Letters> base64(std::span<const std::byte> bytes) noexcept {
  std::array<char, Letters> text;
  text.fill('=');
  for (std::size_t i = 0; i * 6 < bytes.size() * 8; ++i) {
    const std::size_t at = i * 6 / 8;
    const auto high = std::to_integer<unsigned>(bytes[at]);
    const auto low = at + 1 < bytes.size() ? std::to_integer<unsigned>(bytes[at + 1]) : 0U;
    text[i] = letters[((high << 8 | low) >> (10 - i * 6 % 8)) & 63];
  }
  return text;
}

}  // namespace

handshake_key key_from(std::span<const std::byte, 16> nonce) noexcept { return base64<24>(nonce); }

// The last letter before `==` holds two bits, and four that are zero.
bool is_handshake_key(std::string_view key) noexcept {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  const std::string_view digits = key.substr(0, 22);
  if (digits.find_first_not_of(letters) != digits.npos) return false;
  return letters.find(digits.back()) % 16 == 0;
}

handshake_accept accept_for(std::string_view key) noexcept {
  detail::sha1 hash;
  hash.take(std::as_bytes(std::span(key)));
  hash.take(std::as_bytes(std::span(magic)));
  return base64<28>(hash.end());
}

}  // namespace iolite::ws

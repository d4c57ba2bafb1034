// The keys of the opening handshake.
#include "iolite/codec/websocket_handshake.hpp"
#include "codec/sha1.hpp"

#include <gtest/gtest.h>

#include <string>

namespace iolite_test {
namespace {

using namespace iolite;

std::string hexadecimal(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b >> 4)];
    text += digits[std::to_integer<unsigned>(b & std::byte{15})];
  }
  return text;
}

std::string sha1_of(std::string_view text, std::size_t piece) {
  detail::sha1 hash;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
    hash.take(std::as_bytes(std::span(text.substr(0, piece))));
  return hexadecimal(hash.end());
}

// FIPS 180-2, appendix A; the empty text and the lengths around a block by sha1sum(1).
TEST(websocket_handshake, sha1_gives_what_the_standard_says) {
  struct {
    std::string text;
    const char* digest;
  } const cases[] = {
      {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {std::string(1000000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
      {std::string(55, 'a'), "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
      {std::string(56, 'a'), "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
      {std::string(64, 'a'), "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
  };
  for (const auto& c : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{63}, std::size_t{1000000}})
      EXPECT_EQ(sha1_of(c.text, piece), c.digest) << c.text.size();
  }
}

// RFC 6455, 1.3 and 4.1.
TEST(websocket_handshake, keys_are_those_of_the_examples) {
  const auto accept = ws::accept_for("dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(std::string_view(accept.data(), accept.size()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  std::array<std::byte, 16> nonce;
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::byte>(i + 1);
  const auto key = ws::key_from(nonce);
  EXPECT_EQ(std::string_view(key.data(), key.size()), "AQIDBAUGBwgJCgsMDQ4PEA==");
}

TEST(websocket_handshake, a_key_is_sixteen_bytes_in_base64) {
  for (const std::string_view key : {"dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA==",
                                     "AAAAAAAAAAAAAAAAAAAAAA==", "/+/+/+/+/+/+/+/+/+/+/w=="})
    EXPECT_TRUE(ws::is_handshake_key(key)) << key;
  for (const std::string_view key :
       {"", "==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j-Q==", " dGhlIHNhbXBsZSBub25jZ==",
        "dGhlIHNhbXBsZSBub25jZQ= ", "AQIDBAUGBwgJCgsMDQ4PEBA=", "AAAAAAAAAAA=AAAAAAAAAA=="})
    EXPECT_FALSE(ws::is_handshake_key(key)) << key;
}

}  // namespace
}  // namespace iolite_test

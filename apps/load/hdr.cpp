// The encoding is "V2": counts as zigzag LEB128 of up to 9 bytes, runs of zeros as one negative
// number, in a zlib stream, in base64.
#include "load/hdr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace iolite::app {

namespace {

constexpr std::uint32_t plain_cookie = 0x1c849303 | 0x10;
constexpr std::uint32_t compressed_cookie = 0x1c849304 | 0x10;
constexpr std::uint32_t significant_digits = 3;
constexpr std::uint64_t highest_value = std::uint64_t{1} << 62;
constexpr std::size_t stored_block_max = 65535;

void append_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

void append_zigzag(std::string& out, std::int64_t value) {
  auto n = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (unsigned i = 0; i < 8 && n >= 0x80; ++i) {
    out += static_cast<char>((n & 0x7F) | 0x80);
    n >>= 7;
  }
  out += static_cast<char>(n);
}

std::string encoded_counts(std::span<const std::uint64_t> counts) {
  std::string out;
  for (std::size_t i = 0; i < counts.size();) {
    std::size_t zeros = 0;
    while (i + zeros < counts.size() && counts[i + zeros] == 0) ++zeros;
    if (zeros > 0) append_zigzag(out, -static_cast<std::int64_t>(zeros));
    else append_zigzag(out, static_cast<std::int64_t>(counts[i]));
    i += std::max<std::size_t>(zeros, 1);
  }
  return out;
}

std::string encoded(const histogram& h) {
  const std::string counts = encoded_counts(h.counts());
  std::string out;
  append_big_endian(out, plain_cookie, 4);
  append_big_endian(out, counts.size(), 4);
  append_big_endian(out, 0, 4);  // no offset of the index
  append_big_endian(out, significant_digits, 4);
  append_big_endian(out, 1, 8);  // the least value that is told from others
  append_big_endian(out, highest_value, 8);
  append_big_endian(out, 0x3FF0000000000000, 8);  // 1.0: what values are multiplied by
  return out + counts;
}

// RFC 1950, with blocks that are stored as they are (RFC 1951, 3.2.4): no compressor is needed.
std::string zlib_stream(std::string_view text) {
  std::string out = "\x78\x01";
  for (std::size_t at = 0; at == 0 || at < text.size();) {
    const std::size_t n = std::min(stored_block_max, text.size() - at);
    out += at + n == text.size() ? '\1' : '\0';
    for (const std::size_t word : {n, ~n}) {
      out += static_cast<char>(word);
      out += static_cast<char>(word >> 8);
    }
    out += text.substr(at, n);
    at += std::max<std::size_t>(n, 1);
  }
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (const char c : text) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  append_big_endian(out, (std::uint64_t{b} << 16) | a, 4);
  return out;
}

// RFC 4648.
std::string base64(std::string_view text) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, text.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = (bits << 8) | (j < n ? static_cast<unsigned char>(text[i + j]) : 0U);
    for (unsigned j = 0; j < 4; ++j) out += j <= n ? digits[(bits >> (18 - 6 * j)) & 63] : '=';
  }
  return out;
}

}  // namespace

std::string hdr_log(const histogram& h, double started, double seconds) {
  const std::string stream = zlib_stream(encoded(h));
  std::string all;
  append_big_endian(all, compressed_cookie, 4);
  append_big_endian(all, stream.size(), 4);
  all += stream;
  return fmt::format("#[Histogram log format version 1.3]\n"
                     "#[StartTime: {:.3f} (seconds since epoch)]\n"
                     "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                     "\"Interval_Compressed_Histogram\"\n"
                     "{:.3f},{:.3f},{:.3f},{}\n",
                     started, started, seconds, static_cast<double>(h.max_ns()) / 1e6, base64(all));
}

}  // namespace iolite::app

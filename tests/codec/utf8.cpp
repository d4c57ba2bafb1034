// utf8_checker: every sequence of three bytes, and cuts.
#include "iolite/codec/utf8.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace iolite_test {
namespace {

using namespace iolite;

// How many bytes the character at the front has; 0: it is none. By decoding it, where the library
// compares bounds.
std::size_t character(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  std::size_t size = 0;
  while (size < 8 && (first << size & 0x80) != 0) ++size;
  if (size < 2 || size > 4 || s.size() < size) return 0;
  unsigned point = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array least{0U, 0U, 0x80U, 0x800U, 0x10000U};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point >= least[size] && point <= 0x10ffff && !surrogate ? size : 0;
}

bool decodes(std::string_view s) {
  while (!s.empty()) {
    const std::size_t size = character(s);
    if (size == 0) return false;
    s.remove_prefix(size);
  }
  return true;
}

std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span(s)); }

TEST(utf8, every_sequence_of_three_bytes_is_told_as_what_it_is) {
  std::string s(3, '\0');
  std::size_t wrong = 0;
  for (unsigned n = 0; n < 1U << 24; ++n) {
    s[0] = static_cast<char>(n >> 16);
    s[1] = static_cast<char>(n >> 8);
    s[2] = static_cast<char>(n);
    if (is_utf8(s) != decodes(s) && ++wrong < 10) ADD_FAILURE() << std::hex << n;
  }
  EXPECT_EQ(wrong, 0U);
}

// The bounds are in the first two bytes; those that continue are all alike.
TEST(utf8, every_beginning_of_four_bytes_is_told_as_what_it_is) {
  for (unsigned first = 0xe0; first < 0x100; ++first) {
    for (unsigned second = 0; second < 0x100; ++second) {
      for (const unsigned last : {0x7fU, 0x80U, 0xbfU, 0xc0U}) {
        for (const unsigned third : {0x7fU, 0x80U, 0xbfU, 0xc0U}) {
          const std::string s{static_cast<char>(first), static_cast<char>(second),
                              static_cast<char>(third), static_cast<char>(last)};
          EXPECT_EQ(is_utf8(s), decodes(s)) << std::hex << first << ' ' << second;
        }
      }
    }
  }
}

TEST(utf8, pieces_may_be_cut_within_a_character) {
  const std::string text = "a\xc2\xa2 \xe2\x82\xac \xf0\xa4\xad\xa2 and more of plain text than a "
                           "block of thirty-two bytes \xed\x9f\xbf\xee\x80\x80 end";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      utf8_checker check;
      ASSERT_TRUE(check.take(bytes_of(text.substr(0, i)))) << i;
      ASSERT_EQ(check.whole(), decodes(text.substr(0, i))) << i;
      ASSERT_TRUE(check.take(bytes_of(text.substr(i, j - i)))) << i << ' ' << j;
      ASSERT_TRUE(check.take(bytes_of(text.substr(j)))) << j;
      ASSERT_TRUE(check.whole());
    }
  }
}

// What a character requires of its second byte is remembered between pieces.
TEST(utf8, the_bounds_of_a_character_outlive_a_piece) {
  for (const std::string_view s : {"\xe0\x9f", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xc2\xc0"}) {
    utf8_checker check;
    EXPECT_TRUE(check.take(bytes_of(s.substr(0, 1))));
    EXPECT_FALSE(check.whole());
    EXPECT_FALSE(check.take(bytes_of(s.substr(1)))) << bytes_of(s).size();
  }
}

TEST(utf8, a_wrong_byte_is_found_wherever_it_lies_in_a_block) {
  for (std::size_t size = 1; size < 100; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = '\xff';
      ASSERT_FALSE(is_utf8(text)) << size << ' ' << at;
    }
    ASSERT_TRUE(is_utf8(std::string(size, '\x7f')));
  }
}

TEST(utf8, reset_begins_another_text) {
  utf8_checker check;
  EXPECT_TRUE(check.take(bytes_of("\xe2\x82")));
  check.reset();
  EXPECT_TRUE(check.whole());
  EXPECT_TRUE(check.take(bytes_of("plain")));
}

}  // namespace
}  // namespace iolite_test

// one_line(): text of others, safe to print.
#include "iolite/one_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using iolite::one_line;

TEST(lines, what_is_safe_stays_as_it_is) {
  for (const char* text : {"", "plain text, with punctuation: {}[]~!", "a\\b \\x1b as text",
                           "h\u00e9llo \u4f60\u597d \U0001f600"}) {
    EXPECT_EQ(one_line(text), text);
  }
}

TEST(lines, each_byte_that_a_terminal_obeys_is_escaped) {
  const struct {
    std::string_view text, line;
  } table[] = {
      {"a\nb", "a\\x0ab"},
      {"a\r\nforged entry", "a\\x0d\\x0aforged entry"},
      {"a\tb", "a\\x09b"},
      {"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"},
      {"\x9b 2J", "\\x9b 2J"},
      {"\xc2\x9b", "\\xc2\\x9b"},
      {"\x7f", "\\x7f"},
      {std::string_view("a\0b", 3), "a\\x00b"},
      {"\xe2\x80\xaegpj.exe", "\\xe2\\x80\\xaegpj.exe"},
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
      {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
  };
  for (const auto& [text, line] : table) EXPECT_EQ(one_line(text), line);
}

TEST(lines, each_byte_that_is_no_utf_8_is_escaped) {
  EXPECT_EQ(one_line("\xff"), "\\xff");
  EXPECT_EQ(one_line("\xc0\x8a"), "\\xc0\\x8a") << "a line break in two bytes";
  EXPECT_EQ(one_line("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
  EXPECT_EQ(one_line("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(one_line("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
  EXPECT_EQ(one_line("\xe4\xbd"), "\\xe4\\xbd") << "cut";
  EXPECT_EQ(one_line("\xe4z"), "\\xe4z");
}

TEST(lines, a_long_one_is_cut_between_characters) {
  EXPECT_EQ(one_line(std::string(512, 'x')), std::string(512, 'x'));
  EXPECT_EQ(one_line(std::string(513, 'x')), std::string(509, 'x') + "...");
  EXPECT_EQ(one_line(std::string(506, 'x') + "\n" + std::string(100, 'x')),
            std::string(506, 'x') + "...");
  EXPECT_EQ(one_line("\u4f60\u597d\u4f60\u597d", 11), "\u4f60\u597d...");
  EXPECT_EQ(one_line("\n\n\n\n\n", 0), "...");
  EXPECT_EQ(one_line(std::string(1'000'000, '\x1b')).size(), 511U);
}

}  // namespace

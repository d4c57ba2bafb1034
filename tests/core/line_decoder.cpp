// The line decoder by itself: bounds, memory and time.
#include "iolite/codec/line_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace iolite_test {
namespace {

using namespace iolite;

// As much as there is room for.
std::size_t feed(line_decoder& d, std::string_view bytes) {
  const auto room = d.room();
  EXPECT_FALSE(room.empty());
  const std::size_t n = std::min(room.size(), bytes.size());
  std::ranges::copy(std::as_bytes(std::span(bytes.substr(0, n))), room.begin());
  d.wrote(n);
  return n;
}

TEST(line_decoder, takes_lines_out_of_a_stream_of_any_length) {
  std::string all;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < 3000; ++i) {
    expected.emplace_back(i % 977, static_cast<char>('a' + i % 26));
    all += expected.back() + (i % 2 == 0 ? "\n" : "\r\n");
  }
  line_decoder d;
  std::vector<std::string> seen;
  for (std::string_view left = all; !left.empty();) {
    left.remove_prefix(feed(d, left));
    for (auto line = d.next(); line && *line; line = d.next()) seen.emplace_back(**line);
  }
  EXPECT_EQ(seen, expected);
  EXPECT_TRUE(d.rest().empty());
}

TEST(line_decoder, memory_is_bounded_by_what_has_arrived_and_by_the_limit) {
  line_decoder d({.max = 1 << 20});
  const std::string text(1 << 21, 'x');
  std::size_t arrived = 0;
  for (;;) {
    const auto room = d.room();
    ASSERT_LE(room.size(), std::max<std::size_t>(4096, arrived));
    arrived += feed(d, std::string_view(text).substr(arrived));
    const auto line = d.next();
    if (!line) break;
    ASSERT_FALSE(*line);
  }
  EXPECT_LE(arrived, std::size_t{1} << 21);
  EXPECT_EQ(d.next().error(), std::errc::message_size) << "again and again";
}

TEST(line_decoder, a_line_may_hold_any_other_byte) {
  std::string line;
  for (int c = 0; c < 256; ++c) {
    if (c != '\n') line += static_cast<char>(c);
  }
  line_decoder d;
  feed(d, line + "\n");
  EXPECT_EQ(d.next().value().value_or(""), line);
  feed(d, "\r\r\n");
  EXPECT_EQ(d.next().value().value_or(""), "\r");
}

TEST(line_decoder, a_line_of_the_limit_may_end_in_crlf_in_two_pieces) {
  line_decoder d({.max = 3});
  feed(d, "abc\r");
  EXPECT_FALSE(d.next().value());
  feed(d, "\n");
  EXPECT_EQ(d.next().value().value_or(""), "abc");
  feed(d, "abc\r");
  EXPECT_FALSE(d.next().value());
  feed(d, "d");
  EXPECT_EQ(d.next().error(), std::errc::message_size) << "the CR was none of an end";
}

}  // namespace
}  // namespace iolite_test

// What the HTTP/1.1 encoder writes and refuses, and that the decoder reads it.
#include "iolite/http/encoder.hpp"
#include "iolite/http/decoder.hpp"

#include <gtest/gtest.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST(http_encoder, heads_are_lines) {
  std::string text;
  EXPECT_TRUE(http::append_status_line(text, 404));
  EXPECT_TRUE(http::append_field(text, "Content-Length", "0"));
  EXPECT_TRUE(http::append_field(text, "X-Empty", ""));
  http::end_head(text);
  EXPECT_EQ(text, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-Empty: \r\n\r\n");
  text.clear();
  EXPECT_TRUE(http::append_status_line(text, 299));
  EXPECT_TRUE(http::append_status_line(text, 200, "Fine"));
  EXPECT_TRUE(http::append_request_line(text, "GET", "/a?b"));
  EXPECT_EQ(text, "HTTP/1.1 299 \r\nHTTP/1.1 200 Fine\r\nGET /a?b HTTP/1.1\r\n");
}

TEST(http_encoder, what_would_begin_another_line_is_refused_and_nothing_is_appended) {
  using namespace std::string_view_literals;
  std::string text;
  for (const auto bad : {"a\rb"sv, "a\nb"sv, "a\r\nX: y"sv, "a\0b"sv, "a\x7f"sv, "\x1b[2J"sv}) {
    EXPECT_FALSE(http::append_field(text, "X", bad));
    EXPECT_FALSE(http::append_field(text, bad, "y"));
    EXPECT_FALSE(http::append_status_line(text, 200, bad));
    EXPECT_FALSE(http::append_request_line(text, "GET", bad));
    EXPECT_FALSE(http::append_request_line(text, bad, "/"));
  }
  for (const auto bad : {""sv, "a b"sv, "a:"sv, " a"sv, "\xc3\xa4"sv})
    EXPECT_FALSE(http::append_field(text, bad, "y")) << bad;
  for (const auto bad : {" y"sv, "y "sv, "\ty"sv}) EXPECT_FALSE(http::append_field(text, "X", bad));
  for (const auto bad : {""sv, "/a b"sv, "/#c"sv, "/\xc3\xa4"sv})
    EXPECT_FALSE(http::append_request_line(text, "GET", bad)) << bad;
  for (const unsigned bad : {0U, 99U, 1000U}) EXPECT_FALSE(http::append_status_line(text, bad));
  EXPECT_EQ(http::append_field(text, "", "").error(), std::errc::invalid_argument);
  EXPECT_EQ(text, "");
}

TEST(http_encoder, chunks_say_their_size_in_hexadecimal) {
  EXPECT_EQ(http::chunk_head(1).text(), "1\r\n");
  EXPECT_EQ(http::chunk_head(0xabc).text(), "abc\r\n");
  EXPECT_EQ(http::chunk_head(UINT64_MAX).text(), "ffffffffffffffff\r\n");
}

TEST(http_encoder, the_decoder_reads_what_it_writes) {
  std::string text;
  EXPECT_TRUE(http::append_request_line(text, "POST", "/up"));
  EXPECT_TRUE(http::append_field(text, "Host", "a"));
  EXPECT_TRUE(http::append_field(text, "Transfer-Encoding", "chunked"));
  http::end_head(text);
  for (const std::size_t size : {1U, 15U, 16U, 300U})
    text.append(http::chunk_head(size).text()).append(size, 'x').append(http::chunk_end);
  text.append(http::last_chunk);
  EXPECT_TRUE(http::append_field(text, "X-Sum", "332"));
  http::end_head(text);
  http::request_decoder d;
  d.feed(std::as_bytes(std::span(text)));
  std::size_t body = 0;
  auto e = d.next();
  for (; e && *e != http::event::end; e = d.next()) body += d.body().size();
  ASSERT_TRUE(e) << d.why();
  EXPECT_EQ(body, 332U);
  EXPECT_EQ(d.trailers().find("x-sum"), "332");
  EXPECT_EQ(d.next().value(), http::event::more);
}

}  // namespace
}  // namespace iolite_test

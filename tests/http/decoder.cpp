// The HTTP/1.1 decoders by themselves: where heads lie, memory, errors.
#include "iolite/http/decoder.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace iolite_test {
namespace {

using namespace iolite;
using http::event;

std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span(s)); }

constexpr std::string_view request = "GET /a?b HTTP/1.1\r\n"
                                     "Host: example.org:80\r\n"
                                     "Accept-Encoding: gzip, br\r\n"
                                     "X-Empty:\r\n"
                                     "accept-encoding: \t zstd \t\r\n\r\n";

TEST(http_decoder, a_head_has_its_fields_in_order_and_finds_them_in_any_case) {
  http::request_decoder d;
  d.feed(bytes_of(request));
  ASSERT_EQ(d.next().value(), event::head);
  const auto& head = d.head();
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/a?b");
  EXPECT_EQ(head.host, "example.org:80");
  ASSERT_EQ(head.fields.size(), 4U);
  EXPECT_EQ(head.fields.begin()[1].name, "Accept-Encoding");
  EXPECT_EQ(head.fields.begin()[3].value, "zstd");
  EXPECT_EQ(head.fields.find("ACCEPT-encoding"), "gzip, br");
  EXPECT_EQ(head.fields.find("x-empty"), "");
  EXPECT_FALSE(head.fields.find("X-Other"));
  EXPECT_EQ(head.fields.count("Accept-Encoding"), 2U);
  for (const std::string_view token : {"gzip", "BR", "zstd"})
    EXPECT_TRUE(head.fields.lists("Accept-Encoding", token)) << token;
  EXPECT_FALSE(head.fields.lists("Accept-Encoding", "gz"));
  EXPECT_FALSE(head.fields.lists("X-Empty", "gzip"));
}

TEST(http_decoder, a_head_in_one_piece_is_not_copied) {
  http::request_decoder d;
  d.feed(bytes_of(request));
  ASSERT_EQ(d.next().value(), event::head);
  const char* const begin = request.data();
  EXPECT_EQ(d.head().method.data(), begin);
  for (const auto& [name, value] : d.head().fields) {
    EXPECT_TRUE(name.data() > begin && name.data() < begin + request.size());
    EXPECT_TRUE(value.data() > begin && value.data() <= begin + request.size());
  }
}

TEST(http_decoder, a_head_that_is_cut_outlives_the_bytes_it_came_in) {
  http::request_decoder d;
  for (std::size_t i = 0; i < request.size(); ++i) {
    const auto one = std::make_unique<std::byte>(bytes_of(request)[i]);
    d.feed({one.get(), 1});
    ASSERT_EQ(d.next().value(), i + 1 < request.size() ? event::more : event::head);
    ASSERT_EQ(d.in_the_middle(), true);
  }
  EXPECT_EQ(d.head().target, "/a?b");
  EXPECT_EQ(d.head().fields.find("Accept-Encoding"), "gzip, br");
}

TEST(http_decoder, nothing_is_held_between_messages) {
  http::request_decoder d;
  EXPECT_EQ(d.memory_bytes(), 0U);
  for (const std::size_t cut : {request.size(), std::size_t{20}}) {
    d.feed(bytes_of(request.substr(0, cut)));
    if (cut < request.size()) {
      EXPECT_EQ(d.next().value(), event::more);
      d.feed(bytes_of(request.substr(cut)));
    }
    EXPECT_EQ(d.next().value(), event::head);
    EXPECT_GT(d.memory_bytes(), 0U) << "the list of fields";
    EXPECT_EQ(d.next().value(), event::end);
    EXPECT_EQ(d.next().value(), event::more);
    EXPECT_EQ(d.memory_bytes(), 0U);
    EXPECT_FALSE(d.in_the_middle());
  }
}

TEST(http_decoder, a_head_takes_memory_as_it_arrives) {
  http::request_decoder d({.head_bytes_max = 1 << 20});
  std::string piece = "GET / HTTP/1.1\r\nA: ";
  std::size_t arrived = 0;
  for (int i = 0; i < 100; ++i) {
    d.feed(bytes_of(piece));
    ASSERT_EQ(d.next().value(), event::more);
    arrived += piece.size();
    ASSERT_LE(d.memory_bytes(), 2 * arrived);
    piece = std::string(1000, 'x');
  }
}

TEST(http_decoder, a_body_takes_no_memory_whatever_it_promises) {
  for (const std::string_view promise :
       {"Content-Length: 999999999999999999\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n"}) {
    http::request_decoder d;
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(promise);
    d.feed(bytes_of(head));
    ASSERT_EQ(d.next().value(), event::head);
    const std::size_t of_head = d.memory_bytes();
    ASSERT_EQ(d.next().value(), event::more);
    const std::string piece(100000, 'x');
    for (int i = 0; i < 10; ++i) {
      d.feed(bytes_of(piece));
      ASSERT_EQ(d.next().value(), event::body);
      EXPECT_EQ(d.body().data(), bytes_of(piece).data()) << "where it was received";
      EXPECT_EQ(d.body().size(), piece.size());
      ASSERT_EQ(d.next().value(), event::more);
    }
    EXPECT_EQ(d.memory_bytes(), of_head);
  }
}

TEST(http_decoder, an_error_stays_and_says_why) {
  http::request_decoder d;
  d.feed(bytes_of("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(d.next().error(), std::errc::protocol_error);
    EXPECT_EQ(d.status(), 400U);
    EXPECT_EQ(d.why(), "there is no Host");
    d.feed(bytes_of(request));
  }
}

TEST(http_decoder, errors_are_told_apart) {
  struct {
    std::string_view bytes;
    std::errc code;
    unsigned status;
  } const cases[] = {{"HELLO / HTTP/1.1\r\nHost: a\r\n\r\n", std::errc::not_supported, 501},
                     {"GET / HTTP/3.0\r\n", std::errc::not_supported, 505},
                     {"GET  / HTTP/1.1\r\n", std::errc::protocol_error, 400},
                     {"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n", std::errc::message_size, 431}};
  for (const auto& c : cases) {
    http::request_decoder d({.fields_max = 2});
    d.feed(bytes_of(c.bytes));
    EXPECT_EQ(d.next().error(), c.code) << c.bytes;
    EXPECT_EQ(d.status(), c.status);
    EXPECT_FALSE(d.why().empty());
  }
}

// A client that has sent HEAD and GET on one connection.
TEST(http_decoder, each_response_may_answer_another_method) {
  constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  const std::string both = std::string(response) + std::string(response) + "hello";
  http::response_decoder d;
  d.expect("HEAD");
  d.feed(bytes_of(both));
  EXPECT_EQ(d.next().value(), event::head);
  EXPECT_EQ(d.next().value(), event::end);
  d.expect("GET");
  EXPECT_EQ(d.next().value(), event::head);
  EXPECT_EQ(d.next().value(), event::body);
  EXPECT_EQ(d.next().value(), event::end);
  EXPECT_EQ(d.end_of_stream().value(), event::more);
}

TEST(http_decoder_death_test, bytes_are_used_up_before_more_are_fed) {
  http::request_decoder d;
  d.feed(bytes_of(request));
  EXPECT_DEATH(d.feed(bytes_of(request)), "feed\\(\\) follows a next\\(\\) that gave event::more");
}

}  // namespace
}  // namespace iolite_test

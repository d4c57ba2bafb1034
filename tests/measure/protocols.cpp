// Where answers end, whatever the pieces they come in.
#include "http/http_answers.hpp"
#include "load/protocol.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using iolite::app::conversation;
using iolite::app::http_answers;
using iolite::app::make_conversation;
using iolite::app::pattern;
using iolite::app::progress;
using iolite::app::protocol;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(std::span<const std::byte> b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

// All of `text` in pieces of `each` bytes; the error ends it.
template <class Taker>
std::expected<progress, std::string> take_all(Taker& taker, std::string_view text,
                                              std::size_t each) {
  progress sum;
  for (std::size_t i = 0; i < text.size(); i += each) {
    const auto p = taker.take(bytes(text.substr(i, each)));
    if (!p) return p;
    sum.answers += p->answers;
    sum.refused += p->refused;
    if (sum.why.empty()) sum.why = p->why;
  }
  return sum;
}

constexpr std::string_view three_answers = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
                                           "HTTP/1.1 204 No Content\r\n\r\n"
                                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";

TEST(protocols, http_answers_end_where_they_say) {
  for (std::size_t each = 1; each <= three_answers.size(); ++each) {
    http_answers a;
    a.expect(3);
    const auto p = take_all(a, three_answers, each);
    ASSERT_TRUE(p) << p.error();
    EXPECT_EQ(p->answers, 3U);
    EXPECT_FALSE(a.closing());
  }
}

TEST(protocols, an_incomplete_http_answer_is_none) {
  for (std::size_t n = 0; n < three_answers.size(); ++n) {
    http_answers a;
    a.expect(3);
    const auto p = take_all(a, three_answers.substr(0, n), 7);
    ASSERT_TRUE(p) << p.error();
    EXPECT_LT(p->answers, 3U) << n;
  }
}

TEST(protocols, an_http_status_of_an_error_is_a_refusal) {
  http_answers a;
  a.expect(2);
  const auto p = take_all(a,
                          "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
                          "HTTP/1.1 302 Found\r\ncontent-LENGTH:  0\r\n\r\n",
                          1000);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->refused, 1U);
  EXPECT_EQ(p->answers, 1U);
  EXPECT_EQ(p->why, "the server answered 404 Not Found");
}

TEST(protocols, an_interim_http_answer_is_no_answer) {
  http_answers a;
  a.expect(1);
  const auto p = take_all(a,
                          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                          "\r\n",
                          3);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->answers, 1U);
}

TEST(protocols, a_body_without_a_length_ends_with_the_connection) {
  http_answers a;
  a.expect(1);
  const auto p = take_all(a, "HTTP/1.1 200 OK\r\n\r\nso much", 1000);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->answers, 0U);
  EXPECT_TRUE(a.end());
  EXPECT_TRUE(a.closing());
  http_answers other;
  other.expect(1);
  ASSERT_TRUE(take_all(other, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nso much", 1000));
  EXPECT_FALSE(other.end());
}

TEST(protocols, who_announces_the_end_is_believed) {
  const auto closing = [](std::string_view head) {
    http_answers a;
    a.expect(1);
    EXPECT_TRUE(take_all(a, head, 1000));
    return a.closing();
  };
  EXPECT_TRUE(closing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(closing("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(closing("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_FALSE(closing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
}

TEST(protocols, what_is_no_http_is_refused_with_a_reason) {
  const std::string long_field = "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x');
  for (const std::string_view text :
       {std::string_view("hello\r\n"), std::string_view("HTTP/2 200\r\n"),
        std::string_view("HTTP/1.1 abc OK\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nno colon\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
        std::string_view("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        std::string_view("HTTP/1.1 204 X\r\n\r\nHTTP/1.1 204 X\r\n"),
        std::string_view(long_field)}) {
    http_answers a;
    a.expect(1);
    const auto p = take_all(a, text, 1000);
    ASSERT_FALSE(p) << text.substr(0, 60);
    EXPECT_FALSE(p.error().empty());
  }
}

TEST(protocols, an_http_request_names_its_host_and_has_a_body_where_one_is_asked_for) {
  const pattern text(1000);
  iolite::app::request_options o{.kind = protocol::http, .path = "/a?b", .host = "h:1"};
  const std::vector<std::size_t> sizes = {3, 2};
  EXPECT_EQ(text_of(make_conversation(o, text, 0)->ask(std::span(sizes).first(1))),
            "GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n");
  o.body = true;
  EXPECT_EQ(text_of(make_conversation(o, text, 0)->ask(sizes)),
            "POST /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\n\r\nxxx"
            "POST /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 2\r\n\r\nxx");
}

TEST(protocols, lines_have_their_size_and_are_answered_by_as_many) {
  const pattern text(1000);
  const auto c = make_conversation({.kind = protocol::lines}, text, 0);
  const std::vector<std::size_t> sizes = {1, 4, 30};
  const std::string asked = text_of(c->ask(sizes));
  EXPECT_EQ(asked.size(), 35U);
  EXPECT_EQ(asked.substr(0, 5), "\nbcd\n");
  EXPECT_EQ(asked.back(), '\n');
  EXPECT_EQ(take_all(*c, "one\ntw", 2)->answers, 1U);
  EXPECT_EQ(take_all(*c, "o\nthree\n", 100)->answers, 2U);
  EXPECT_FALSE(take_all(*c, "four\n", 100));
}

TEST(protocols, an_echo_is_checked_byte_by_byte) {
  const pattern text(1000);
  const auto c = make_conversation({}, text, 3);
  const std::vector<std::size_t> sizes = {10, 20, 30};
  std::string sent = text_of(c->ask(sizes));
  ASSERT_EQ(sent.size(), 60U);
  EXPECT_EQ(take_all(*c, std::string_view(sent).substr(0, 29), 7)->answers, 1U);
  EXPECT_EQ(take_all(*c, std::string_view(sent).substr(29), 7)->answers, 2U);
  EXPECT_FALSE(c->take(bytes("x")));  // more than was sent
  sent = text_of(c->ask(sizes));
  sent[41] = static_cast<char>(~sent[41]);
  const auto p = take_all(*c, sent, 60);
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error(), "byte 41 of an answer is wrong: does this server echo?");
}

TEST(protocols, an_answer_of_known_length_is_checked_from_its_beginning) {
  const pattern text(70'000);
  const auto c = make_conversation({.answer_bytes = 5000}, text, 9);
  const std::vector<std::size_t> sizes = {10, 10};
  EXPECT_EQ(c->ask(sizes).size(), 20U);
  const std::string answer = text_of(text.at(0, 5000));
  EXPECT_EQ(take_all(*c, answer + answer.substr(0, 4999), 1234)->answers, 1U);
  EXPECT_EQ(take_all(*c, answer.substr(4999), 1)->answers, 1U);
  EXPECT_FALSE(c->take(bytes("x")));
}

}  // namespace

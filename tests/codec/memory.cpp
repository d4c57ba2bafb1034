// Decoders for which no memory is left: what they say behind it, and how much they hold. A binary
// of its own: it replaces operator new.
#include "iolite/codec/websocket_decoder.hpp"

#include <gtest/gtest.h>
#ifdef IOLITE_HAS_HTTP
#include "iolite/http/decoder.hpp"
#endif

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

namespace {

bool none_is_left = false;

void* taken(std::size_t n) {
  void* const p = none_is_left ? nullptr : std::malloc(n > 0 ? n : 1);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) { return taken(n); }
void* operator new[](std::size_t n) { return taken(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace iolite_test {
namespace {

using namespace iolite;

template <class Decoder>
[[nodiscard]] bool next_finds_no_memory(Decoder& d) {
  none_is_left = true;
  bool none = false;
  try {
    static_cast<void>(d.next());
  } catch (const std::bad_alloc&) {
    none = true;
  }
  none_is_left = false;
  return none;
}

template <class Decoder>
void expect_its_end(Decoder& d) {
  const auto e = d.next();
  ASSERT_FALSE(e);
  EXPECT_EQ(e.error(), std::errc::not_enough_memory);
  EXPECT_FALSE(d.why().empty());
}

// A frame of a server: its text is not masked.
TEST(memory, a_websocket_message_is_lost_with_its_memory) {
  ws::decoder d(ws::role::client);
  std::string part = "\x81\x0bhello";
  d.feed(std::as_writable_bytes(std::span(part)));
  ASSERT_TRUE(next_finds_no_memory(d));
  expect_its_end(d);
  std::string rest = "\xc3\xa9 you!";
  d.feed(std::as_writable_bytes(std::span(rest)));
  expect_its_end(d);
}

#ifdef IOLITE_HAS_HTTP
std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The body would be read as the next request.
TEST(memory, a_body_is_no_request_when_its_head_found_no_memory) {
  http::request_decoder d;
  d.feed(bytes_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\n\r\n"
                  "DELETE /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(next_finds_no_memory(d));
  EXPECT_EQ(d.status(), 503U);
  expect_its_end(d);
  d.feed(bytes_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  expect_its_end(d);
}

TEST(memory, a_head_in_two_pieces_that_finds_no_memory_is_the_end) {
  http::request_decoder d;
  d.feed(bytes_of("GET / HTTP/1.1\r\nHo"));
  ASSERT_TRUE(next_finds_no_memory(d));
  d.feed(bytes_of("st: a\r\n\r\n"));
  expect_its_end(d);
}

TEST(memory, nothing_is_held_behind_the_last_message_and_behind_an_error) {
  http::request_decoder last;
  last.feed(bytes_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(last.next(), http::event::head);
  EXPECT_GT(last.memory_bytes(), 0U);
  EXPECT_EQ(last.next(), http::event::end);
  EXPECT_EQ(last.next(), http::event::more);
  EXPECT_EQ(last.memory_bytes(), 0U);

  http::request_decoder wrong;
  wrong.feed(bytes_of("GET / HTTP/1.1\r\nHo"));
  EXPECT_EQ(wrong.next(), http::event::more);
  EXPECT_GT(wrong.memory_bytes(), 0U);
  wrong.feed(bytes_of(" st: a\r\n\r\n"));
  EXPECT_FALSE(wrong.next());
  EXPECT_EQ(wrong.memory_bytes(), 0U);
}
#endif

}  // namespace
}  // namespace iolite_test

// The WebSocket decoder by itself: memory, what it counts, and where events lie.
#include "websocket_notation.hpp"

#include "iolite/codec/websocket_encoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;

std::span<std::byte> bytes_of(std::string& s) { return std::as_writable_bytes(std::span(s)); }

TEST(websocket_decoder, memory_grows_with_what_has_arrived_and_not_with_a_promise) {
  ws::decoder d(ws::role::client);
  std::string head = ws_bytes("82 7f 0000000000100000", ws::role::client);  // 1 MiB
  d.feed(bytes_of(head));
  ASSERT_FALSE(*d.next());
  EXPECT_EQ(d.memory_bytes(), 0U);
  std::string piece(1000, 'x');
  for (std::size_t arrived = piece.size(); arrived <= 1000000; arrived += piece.size()) {
    d.feed(bytes_of(piece));
    ASSERT_FALSE(*d.next());
    ASSERT_LE(d.memory_bytes(), 2 * arrived);
  }
  EXPECT_TRUE(d.in_the_middle());
}

TEST(websocket_decoder, a_message_that_has_been_used_leaves_no_memory) {
  ws::decoder d(ws::role::client);
  std::string first = ws_bytes("[02 'x'*5000]", ws::role::client);
  std::string second = ws_bytes("[80 'y'*5000]", ws::role::client);
  d.feed(bytes_of(first));
  ASSERT_FALSE(*d.next());
  EXPECT_GE(d.memory_bytes(), 5000U);
  d.feed(bytes_of(second));
  const auto e = d.next();
  ASSERT_TRUE(e && *e);
  EXPECT_EQ((*e)->text(), std::string(5000, 'x') + std::string(5000, 'y'));
  ASSERT_FALSE(*d.next());
  EXPECT_EQ(d.memory_bytes(), 0U);
  EXPECT_FALSE(d.in_the_middle());
}

TEST(websocket_decoder, a_message_in_one_piece_is_not_copied) {
  for (const std::string_view frame : {"[81 'Hello'] [82 00ff]", "[89 'ping']"}) {
    ws::decoder d(ws::role::server);
    std::string bytes = ws_bytes(frame, ws::role::server);
    d.feed(bytes_of(bytes));
    for (auto e = d.next(); e && *e; e = d.next()) {
      EXPECT_GE((*e)->text().data(), bytes.data());
      EXPECT_LE((*e)->text().data(), bytes.data() + bytes.size());
    }
    EXPECT_EQ(d.memory_bytes(), 0U);
  }
}

TEST(websocket_decoder, pings_and_pongs_are_counted_for_those_who_limit_them) {
  ws::decoder d(ws::role::server);
  std::string bytes = ws_bytes("[89] [8a 'x'] [81 'y'] [89] [88]", ws::role::server);
  d.feed(bytes_of(bytes));
  while (*d.next()) {
  }
  EXPECT_EQ(d.control_frames(), 3U);
  EXPECT_TRUE(d.closed());
}

TEST(websocket_decoder, what_is_fed_behind_a_close_is_passed_over) {
  ws::decoder d(ws::role::client);
  std::string close = ws_bytes("[88 03e8]", ws::role::client), garbage(100, '\xff');
  d.feed(bytes_of(close));
  ASSERT_TRUE(*d.next());
  for (int i = 0; i < 3; ++i) {
    d.feed(bytes_of(garbage));
    const auto e = d.next();
    ASSERT_TRUE(e && !*e);
  }
  EXPECT_TRUE(d.why().empty());
}

TEST(websocket_decoder, an_error_stays_and_says_why) {
  ws::decoder d(ws::role::client);
  std::string begun = ws_bytes("[01 'a'*100]", ws::role::client);
  std::string wrong = ws_bytes("[81 'b']", ws::role::client),
              fine = ws_bytes("[89]", ws::role::client);
  d.feed(bytes_of(begun));
  ASSERT_FALSE(*d.next());
  d.feed(bytes_of(wrong));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(d.next().error(), std::errc::protocol_error);
    EXPECT_EQ(d.why(), "a message begins within another one");
    EXPECT_EQ(d.memory_bytes(), 0U) << "none is kept";
    d.feed(bytes_of(fine));
  }
}

TEST(websocket_decoder, a_reason_fits_into_a_close_frame) {
  // Whatever is wrong is to be said to the peer: reasons are short.
  for (const std::string_view wrong :
       {"ff", "f0", "83", "09", "00", "80", "89fe0000", "82ff8000000000000000", "82fe0001",
        "82ff7fffffffffffffff", "8100", "[81 ff]", "[81 ce]", "[88 00]", "[88 0000]",
        "[88 03e8 ff]"}) {
    ws::decoder d(ws::role::server);
    std::string bytes = ws_bytes(wrong, ws::role::server);
    d.feed(bytes_of(bytes));
    const auto e = d.next();
    ASSERT_FALSE(e) << wrong;
    EXPECT_FALSE(d.why().empty());
    EXPECT_TRUE(ws::close_frame(ws::close_code_for(e.error()), d.why())) << d.why();
  }
}

TEST(websocket_decoder_death_test, bytes_are_used_up_before_more_are_fed) {
  ws::decoder d(ws::role::client);
  std::string bytes = ws_bytes("[81 'a']", ws::role::client);
  d.feed(bytes_of(bytes));
  EXPECT_DEATH(d.feed(bytes_of(bytes)), "feed\\(\\) follows a next\\(\\) that gave nothing");
}

}  // namespace
}  // namespace iolite_test

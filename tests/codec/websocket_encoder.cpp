// What the encoder writes, byte by byte, and that the decoder reads it.
#include "iolite/codec/websocket_encoder.hpp"
#include "websocket_notation.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr ws::masking_key key{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string written(std::string_view notation) { return ws_bytes(notation, ws::role::client); }

struct head_case {
  ws::opcode what;
  std::uint64_t size;
  ws::frame_options options;
  const char* expected;
};

TEST(websocket_encoder, a_head_has_the_shortest_length) {
  const head_case cases[] = {
      {ws::opcode::text, 0, {}, "81 00"},
      {ws::opcode::binary, 125, {}, "82 7d"},
      {ws::opcode::binary, 126, {}, "82 7e 007e"},
      {ws::opcode::binary, 65535, {}, "82 7e ffff"},
      {ws::opcode::binary, 65536, {}, "82 7f 0000000000010000"},
      {ws::opcode::binary, UINT64_MAX >> 1, {}, "82 7f 7fffffffffffffff"},
      {ws::opcode::text, 5, {.last = false}, "01 05"},
      {ws::opcode::continuation, 5, {.last = false}, "00 05"},
      {ws::opcode::continuation, 5, {}, "80 05"},
      {ws::opcode::text, 5, {.rsv1 = true}, "c1 05"},
      {ws::opcode::text, 5, {.key = key}, "81 85 37fa213d"},
      {ws::opcode::text, 300, {.key = key}, "81 fe 012c 37fa213d"},
      {ws::opcode::text,
       70000,
       {.last = false, .rsv1 = true, .key = key},
       "41 ff 0000000000011170 37fa213d"},
  };
  for (const auto& c : cases) {
    const auto head = ws::frame_head::of(c.what, c.size, c.options);
    EXPECT_EQ(text_of(head.bytes()), written(c.expected)) << c.expected;
  }
}

TEST(websocket_encoder, a_mask_is_put_on_and_taken_off_from_any_offset) {
  std::string plain;
  for (int i = 0; i < 200; ++i) plain += static_cast<char>(i * 7);
  std::string expected = plain;
  for (std::size_t i = 0; i < plain.size(); ++i)
    expected[i] = static_cast<char>(plain[i] ^ std::to_integer<char>(key[i % 4]));
  for (std::size_t from = 0; from < 70; ++from) {
    for (std::size_t size = 0; size <= plain.size() - from; size += 1 + size / 9) {
      std::string masked = plain.substr(from, size);
      ws::mask(std::as_writable_bytes(std::span(masked)), key, from);
      ASSERT_EQ(masked, expected.substr(from, size)) << from << ' ' << size;
    }
  }
}

TEST(websocket_encoder, a_broadcast_is_a_frame_of_a_server) {
  EXPECT_EQ(ws::framed("Hello").text(), written("[81 'Hello']"));
  EXPECT_EQ(ws::framed("").text(), written("[81]"));
  const std::string large(70000, 'x');
  const auto m = ws::framed(ws::opcode::binary, std::as_bytes(std::span(large)));
  EXPECT_EQ(m.text(), written("[82 'x'*70000]"));
}

TEST(websocket_encoder, control_frames_carry_what_they_are_given) {
  const std::string_view hello = "Hello";
  const auto payload = std::as_bytes(std::span(hello));
  EXPECT_EQ(text_of(ws::ping_frame()->bytes()), written("89 00"));
  EXPECT_EQ(text_of(ws::ping_frame(payload)->bytes()), written("89 05 'Hello'"));
  EXPECT_EQ(text_of(ws::pong_frame(payload)->bytes()), written("8a 05 'Hello'"));
  EXPECT_EQ(text_of(ws::pong_frame(payload, key)->bytes()), written("8a 85 37fa213d 7f9f4d5158"));
  EXPECT_EQ(text_of(ws::close_frame(ws::close_code::no_status)->bytes()), written("88 00"));
  EXPECT_EQ(text_of(ws::close_frame(ws::close_code::normal)->bytes()), written("88 02 03e8"));
  EXPECT_EQ(text_of(ws::close_frame(ws::close_code::going_away, "bye")->bytes()),
            written("88 05 03e9 'bye'"));
  EXPECT_EQ(text_of(ws::close_frame(ws::close_code::normal, {}, key)->bytes()),
            written("88 82 37fa213d 3412"));
}

TEST(websocket_encoder, what_no_peer_would_take_is_refused) {
  const std::string longest(125, 'x'), longer(126, 'x');
  const auto bytes = [](const std::string& s) { return std::as_bytes(std::span(s)); };
  EXPECT_TRUE(ws::ping_frame(bytes(longest)));
  EXPECT_EQ(ws::ping_frame(bytes(longer)).error(), std::errc::message_size);
  EXPECT_EQ(ws::pong_frame(bytes(longer)).error(), std::errc::message_size);
  EXPECT_TRUE(ws::close_frame(ws::close_code::normal, longest.substr(2)));
  EXPECT_EQ(ws::close_frame(ws::close_code::normal, longest.substr(1)).error(),
            std::errc::message_size);
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    const auto r = ws::close_frame(static_cast<ws::close_code>(code), "why");
    ASSERT_FALSE(r) << code;
    EXPECT_EQ(r.error(), std::errc::invalid_argument);
  }
  EXPECT_EQ(ws::close_frame(ws::close_code::normal, "\xff").error(), std::errc::invalid_argument);
}

// Each side reads what the other one writes.
TEST(websocket_encoder, the_decoder_reads_what_it_writes) {
  for (const bool from_client : {false, true}) {
    const auto own = from_client ? std::optional(key) : std::nullopt;
    std::string stream;
    const auto add = [&](ws::opcode what, bool last, std::string payload) {
      stream +=
          text_of(ws::frame_head::of(what, payload.size(), {.last = last, .key = own}).bytes());
      if (own) ws::mask(std::as_writable_bytes(std::span(payload)), *own);
      stream += payload;
    };
    add(ws::opcode::text, false, std::string(1000, 'a'));
    stream += text_of(ws::ping_frame({}, own)->bytes());
    add(ws::opcode::continuation, true, "b");
    stream += text_of(ws::close_frame(ws::close_code::normal, "done", own)->bytes());
    ws::decoder d(from_client ? ws::role::server : ws::role::client);
    EXPECT_EQ(ws_decoded(d, {stream}), ws_expected("ping() text('a'*1000 'b') close(1000'done')"));
  }
}

}  // namespace
}  // namespace iolite_test

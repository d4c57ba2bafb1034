// See websocket_encoder.hpp: heads of frames, and whole control frames.
#include "iolite/codec/websocket_encoder.hpp"

#include "base/assert.hpp"
#include "codec/websocket_mask.hpp"
#include "iolite/codec/utf8.hpp"

#include <algorithm>

namespace iolite::ws {
namespace {

constexpr std::byte operator""_b(unsigned long long n) noexcept {
  return static_cast<std::byte>(n);
}

std::unexpected<std::error_code> because(std::errc why) noexcept {
  return std::unexpected(std::make_error_code(why));
}

// The second byte without the mask bit.
unsigned short_length(std::uint64_t bytes) noexcept {
  if (bytes < 126) return static_cast<unsigned>(bytes);
  return bytes <= 0xffff ? 126 : 127;
}

std::size_t length_bytes(std::uint64_t payload) noexcept {
  if (payload < 126) return 0;
  return payload <= 0xffff ? 2 : 8;
}

}  // namespace

frame_head frame_head::of(opcode what, std::uint64_t payload_bytes,
                          const frame_options& options) noexcept {
  const bool begins = begins_message(what), control = is_control(what);
  IOLITE_ASSERT(begins || control || what == opcode::continuation, "a frame has a known opcode");
  IOLITE_ASSERT(!control || (options.last && payload_bytes <= control_payload_max),
                "a control frame is one frame, of at most 125 bytes");
  IOLITE_ASSERT(begins || !options.rsv1, "only the first frame of a message has RSV1");
  IOLITE_ASSERT(payload_bytes >> 63 == 0, "a length is less than 2^63");
  frame_head head;
  auto to = head.bytes_.begin();
  *to++ = static_cast<std::byte>(what) | (options.last ? 0x80_b : 0x00_b) |
          (options.rsv1 ? 0x40_b : 0x00_b);
  *to++ = static_cast<std::byte>(short_length(payload_bytes)) | (options.key ? 0x80_b : 0x00_b);
  for (std::size_t i = length_bytes(payload_bytes); i-- > 0;)
    *to++ = static_cast<std::byte>(payload_bytes >> (8 * i));
  if (options.key) to = std::ranges::copy(*options.key, to).out;
  head.size_ = static_cast<std::uint8_t>(to - head.bytes_.begin());
  return head;
}

void mask(std::span<std::byte> payload, const masking_key& key, std::size_t offset) noexcept {
  apply_mask(payload, key, offset);
}

message framed(opcode what, std::span<const std::byte> payload) {
  IOLITE_ASSERT(begins_message(what), "a message is text or binary");
  const auto head = frame_head::of(what, payload.size());
  return message(head.bytes().size() + payload.size(), [&](std::span<std::byte> to) {
    std::ranges::copy(payload, std::ranges::copy(head.bytes(), to.begin()).out);
  });
}

message framed(std::string_view text) {
  return framed(opcode::text, std::as_bytes(std::span(text)));
}

// Makes them: two parts are one payload.
struct control_frames {
  static result<control_frame> make(opcode what, std::span<const std::byte> front,
                                    std::span<const std::byte> back,
                                    const std::optional<masking_key>& key) noexcept {
    if (back.size() > control_payload_max - front.size()) return because(std::errc::message_size);
    control_frame made;
    const auto head = frame_head::of(what, front.size() + back.size(), {.key = key});
    const auto payload = std::ranges::copy(head.bytes(), made.bytes_.begin()).out;
    const auto end = std::ranges::copy(back, std::ranges::copy(front, payload).out).out;
    if (key) mask({payload, end}, *key);
    made.size_ = static_cast<std::uint8_t>(end - made.bytes_.begin());
    return made;
  }
};

result<control_frame> ping_frame(std::span<const std::byte> payload,
                                 const std::optional<masking_key>& key) noexcept {
  return control_frames::make(opcode::ping, {}, payload, key);
}

result<control_frame> pong_frame(std::span<const std::byte> payload,
                                 const std::optional<masking_key>& key) noexcept {
  return control_frames::make(opcode::pong, {}, payload, key);
}

result<control_frame> close_frame(close_code code, std::string_view reason,
                                  const std::optional<masking_key>& key) noexcept {
  if (code == close_code::no_status && reason.empty())
    return control_frames::make(opcode::close, {}, {}, key);
  if (!may_be_sent(code) || !is_utf8(reason)) return because(std::errc::invalid_argument);
  const auto n = static_cast<unsigned>(code);
  const std::array both{static_cast<std::byte>(n >> 8), static_cast<std::byte>(n)};
  return control_frames::make(opcode::close, both, std::as_bytes(std::span(reason)), key);
}

}  // namespace iolite::ws

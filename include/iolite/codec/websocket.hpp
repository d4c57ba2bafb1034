// What both directions of a WebSocket share (RFC 6455): roles, kinds of frames, close codes.
// The codec knows neither connections nor time:
//   websocket_decoder.hpp     bytes in, messages out
//   websocket_encoder.hpp     heads and control frames to send
//   websocket_handshake.hpp   the keys of the opening handshake
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

namespace iolite::ws {

// Which end this program is. Frames of a client are masked, those of a server are not (5.1).
enum class role : std::uint8_t { client, server };

// RFC 6455, 5.2; the other values are reserved.
enum class opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

// A message begins with text or binary; continuations follow.
[[nodiscard]] constexpr bool begins_message(opcode what) noexcept {
  return what == opcode::text || what == opcode::binary;
}
[[nodiscard]] constexpr bool is_control(opcode what) noexcept {
  return what >= opcode::close && what <= opcode::pong;
}

// RFC 6455, 7.4.1, and the registry of IANA. 3000 to 4999 are for libraries and applications.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  // never sent: a close frame without a code was received
  abnormal = 1006,   // never sent: the connection ended without a close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  extension_missing = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
  tls_failure = 1015,  // never sent
};

// Whether a close frame may carry this code. Not so: 1004 to 1006, 1015 and all that nobody has
// assigned.
[[nodiscard]] bool may_be_sent(close_code code) noexcept;

// Of a control frame: ping, pong, close (5.5). A reason has two bytes less.
constexpr std::size_t control_payload_max = 125;
constexpr std::size_t close_reason_max = control_payload_max - 2;

// What to close a connection with after a decoder's error: protocol_error for
// std::errc::protocol_error, invalid_payload for illegal_byte_sequence, too_big for message_size;
// else internal_error.
[[nodiscard]] close_code close_code_for(std::error_code error) noexcept;

// Something that has been received whole.
struct event {
  opcode what = opcode::binary;  // never a continuation
  // Of text and binary the message; of ping and pong what they carry; of close the reason, which is
  // UTF-8.
  std::span<const std::byte> payload;
  close_code code = close_code::no_status;  // of a close
  // The message's first frame had RSV1, which permessage-deflate (RFC 7692) gives a meaning: the
  // payload is to be inflated, and then checked if it is text. See limits::rsv1_allowed.
  bool rsv1 = false;

  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

}  // namespace iolite::ws

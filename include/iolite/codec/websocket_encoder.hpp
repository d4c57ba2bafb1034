// WebSocket frames to send (RFC 6455, 5.2), for either end and without I/O. A server sends a head
// and the payload as they are:
//
//   const auto head = ws::frame_head::of(ws::opcode::text, text.size());
//   co_await s.send_all(head.bytes(), text);
//
// A client masks with a key that must be unpredictable and new for each frame (5.3, 10.3). The
// codec draws none:
//
//   const auto head = ws::frame_head::of(ws::opcode::text, text.size(), {.key = key});
//   ws::mask(text, key);
#pragma once
#include "iolite/codec/websocket.hpp"
#include "iolite/message.hpp"
#include "iolite/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace iolite::ws {

using masking_key = std::array<std::byte, 4>;

// What a frame says of itself besides its opcode and length (RFC 6455, 5.2).
struct frame_options {
  bool last = true;  // FIN: of its message
  bool rsv1 = false;  // of the first frame of a message: compressed, see event::rsv1
  std::optional<masking_key> key = std::nullopt;  // a client has one, a server has none
};

// What precedes a payload.
class frame_head {
 public:
  static constexpr std::size_t bytes_max = 14;

  // The length in its shortest form. What no peer may accept stops the program: a control frame of
  // more than control_payload_max bytes, or in parts; RSV1 behind the first frame; 2^63 bytes.
  [[nodiscard]] static frame_head of(opcode what, std::uint64_t payload_bytes,
                                     const frame_options& options = {}) noexcept;
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return std::span(bytes_).first(size_);
  }

 private:
  std::array<std::byte, bytes_max> bytes_{};
  std::uint8_t size_ = 0;
};

// Masks, or unmasks, `payload` where it is; of a part that begins at `offset` in its frame.
void mask(std::span<std::byte> payload, const masking_key& key, std::size_t offset = 0) noexcept;

// A whole frame of a server, text or binary, as a message for many: a broadcast is framed once. See
// outbox.hpp. Control frames: below.
[[nodiscard]] message framed(opcode what, std::span<const std::byte> payload);
// Text; that it is UTF-8 is the caller's business.
[[nodiscard]] message framed(std::string_view text);

// A whole ping, pong or close frame. A copy of what it was made from: it may answer an event that
// is gone when it is sent. Bytes that are not used are zero.
class control_frame {
 public:
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return std::span(bytes_).first(size_);
  }

 private:
  friend struct control_frames;
  std::array<std::byte, 2 + 4 + control_payload_max> bytes_{};
  std::uint8_t size_ = 0;
};

// With `key` as a client sends it. std::errc::message_size: longer than control_payload_max.
[[nodiscard]] result<control_frame>
ping_frame(std::span<const std::byte> payload = {},
           const std::optional<masking_key>& key = std::nullopt) noexcept;
// The answer to a ping has its payload (5.5.3).
[[nodiscard]] result<control_frame>
pong_frame(std::span<const std::byte> payload = {},
           const std::optional<masking_key>& key = std::nullopt) noexcept;
// close_code::no_status, without a reason: a frame without a code. std::errc::invalid_argument: the
// code may not be sent, or the reason is not UTF-8; message_size: it exceeds close_reason_max.
[[nodiscard]] result<control_frame>
close_frame(close_code code, std::string_view reason = {},
            const std::optional<masking_key>& key = std::nullopt) noexcept;

}  // namespace iolite::ws

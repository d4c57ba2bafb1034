// WebSocket messages out of bytes (RFC 6455), for either end. Without I/O: the bytes may come from
// anywhere, cut anywhere.
//
//   ws::decoder d(ws::role::server);
//   d.feed(received);                      // lent, and unmasked where they are
//   for (;;) {
//     const auto e = d.next();
//     if (!e) return fail(ws::close_code_for(e.error()), d.why());
//     if (!*e) break;                      // all used up: receive more
//     handle(**e);                         // a whole message, ping, pong or close
//   }
//
// Not here: answering pings and closes, how often a peer may send pings, and time.
#pragma once
#include "iolite/codec/utf8.hpp"
#include "iolite/codec/websocket.hpp"
#include "iolite/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace iolite::ws {

// What a peer may send. Each limit is checked when a frame's head is there, before its payload
// takes any memory.
struct limits {
  std::size_t message_max = 1 << 20;  // bytes, of all frames of a message
  std::uint64_t frame_max = 1 << 20;  // bytes, of the payload of one frame
  std::size_t fragments_max = 1024;  // frames of a message; empty ones count
  bool rsv1_allowed = false;  // permessage-deflate has been agreed on
};

// A message that lies whole in the bytes that were fed is given where it is. Only what is cut
// between two feeds or made of several frames is copied: into a buffer that grows with what has
// arrived, and that is freed when its message has been used. So an idle connection holds nothing
// but the decoder itself.
class decoder {
 public:
  explicit decoder(role self, limits most = {}) noexcept : limits_(most), self_(self) {}

  // Lends bytes until next() has used them up: they are changed, and events refer to them. What was
  // fed before must be used up; else the program stops.
  void feed(std::span<std::byte> bytes) noexcept;

  // The next event, good until the next call of next(); empty optional: all is used up. What lies
  // behind a close frame is passed over (5.5.1). An error stays: the connection is of no more use.
  // It comes with the first byte of text, or the first field of a head, that allows no other
  // outcome:
  //   std::errc::protocol_error          a broken rule of RFC 6455: close with 1002
  //   std::errc::illegal_byte_sequence   text or a reason that is not UTF-8: close with 1007
  //   std::errc::message_size            more than the limits allow: close with 1009
  // Throws std::bad_alloc.
  [[nodiscard]] result<std::optional<event>> next();

  // What is wrong, in words for a log or for the reason of a close; empty: nothing is.
  [[nodiscard]] std::string_view why() const noexcept { return why_; }
  // Whether a frame or message has begun that is not whole: an end of the stream cuts it.
  [[nodiscard]] bool in_the_middle() const noexcept {
    return head_size_ > 0 || message_ != opcode::continuation;
  }
  // Whether a close frame has arrived.
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  // Ping and pong frames so far, for those who limit how many a peer may send: each is an event,
  // but none counts against `limits`.
  [[nodiscard]] std::uint64_t control_frames() const noexcept { return control_frames_; }
  // Memory that is held beside the decoder itself, in bytes.
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return store_.capacity(); }

 private:
  // False: more bytes are needed, or it has failed.
  [[nodiscard]] bool take_head() noexcept;
  [[nodiscard]] bool take_payload();
  // False: it has failed.
  [[nodiscard]] bool check_head() noexcept;
  [[nodiscard]] bool check_first_byte() noexcept;
  [[nodiscard]] bool check_second_byte() noexcept;
  [[nodiscard]] bool check_length() noexcept;
  [[nodiscard]] bool check_text(std::span<const std::byte> piece) noexcept;
  [[nodiscard]] bool check_end_of_text() noexcept;
  [[nodiscard]] bool check_close(const event& e) noexcept;
  [[nodiscard]] bool fail(std::errc code, std::string_view why) noexcept;

  void begin_frame() noexcept;
  [[nodiscard]] std::optional<event> end_frame() noexcept;
  [[nodiscard]] std::optional<event> end_message() noexcept;
  [[nodiscard]] std::optional<event> end_control() noexcept;
  [[nodiscard]] std::optional<event> end_close() noexcept;
  void drop_given() noexcept;

  [[nodiscard]] unsigned first_byte() const noexcept { return std::to_integer<unsigned>(head_[0]); }
  [[nodiscard]] unsigned second_byte() const noexcept {
    return std::to_integer<unsigned>(head_[1]);
  }
  [[nodiscard]] bool is_control() const noexcept { return (first_byte() & 0x08) != 0; }
  [[nodiscard]] bool is_last() const noexcept { return (first_byte() & 0x80) != 0; }
  [[nodiscard]] unsigned length_bytes() const noexcept;  // behind the first two
  [[nodiscard]] unsigned head_bytes() const noexcept;
  [[nodiscard]] std::uint64_t length() const noexcept;
  [[nodiscard]] bool is_alone(std::size_t piece) const noexcept;

  // Set once.
  limits limits_;
  role self_;

  std::span<std::byte> input_;  // fed and not used
  std::span<std::byte> payload_;  // of the frame that is whole
  std::vector<std::byte> store_;  // of the message so far, and behind it of a control frame
  std::size_t message_bytes_ = 0;  // of them, the message's
  std::size_t fragments_ = 0;
  std::uint64_t left_ = 0;  // bytes of the frame's payload still to come
  std::uint64_t control_frames_ = 0;
  std::string_view why_;
  std::errc code_{};  // of the error
  std::array<std::byte, 14> head_{};
  std::uint8_t head_size_ = 0;
  std::uint8_t key_offset_ = 0;  // modulo 4: where in the key the next byte of payload is
  opcode message_ = opcode::continuation;  // none has begun
  utf8_checker utf8_;
  bool in_payload_ = false;
  bool rsv1_ = false;  // of the message
  bool closed_ = false;
  bool given_ = false;  // the last event referred to store_
};

}  // namespace iolite::ws

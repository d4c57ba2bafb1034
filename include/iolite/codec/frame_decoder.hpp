// The format of `frames` (frames.hpp) without I/O: messages, each preceded by its length, into
// bytes and out of them. For any transport, also one that is no byte_stream.
#pragma once
#include "iolite/message.hpp"
#include "iolite/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace iolite {

// How messages are framed. Both ends must agree.
struct frame_format {
  // Of `max`: sums of sizes must not wrap around.
  static constexpr std::size_t largest_max = SIZE_MAX / 4;

  unsigned length_bytes = 4;  // 1, 2, 4 or 8
  std::size_t max = 1 << 20;  // bytes; a longer message is refused before it is received
};

// Takes messages out of bytes.
class frame_decoder {
 public:
  using message = std::span<const std::byte>;

  // Throws std::invalid_argument when `format` exceeds what frame_format allows.
  explicit frame_decoder(frame_format format = {});

  // The next whole message, good until the next call of any member; empty optional: more bytes are
  // needed. std::errc::message_size: it is longer than the limit, and the stream is of no more use.
  [[nodiscard]] result<std::optional<message>> next() noexcept;
  // Where the next bytes are to be written: room for at least one byte. The buffer grows with what
  // has arrived, not with the length a message announces: it has 4 KiB, or at most twice the bytes
  // of the longest message that has begun.
  [[nodiscard]] std::span<std::byte> room();
  void wrote(std::size_t bytes) noexcept;  // into the front of room()
  // Whether a message has begun that is not whole.
  [[nodiscard]] bool in_the_middle() const noexcept { return begin_ != end_; }

 private:
  frame_format format_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;  // of what was not given out yet
  std::size_t end_ = 0;
  std::size_t wanted_ = 0;  // bytes the message that has begun needs in all
};

// What frames::send() sends, as a message for many: see outbox.hpp. std::errc::message_size: it is
// too long.
[[nodiscard]] result<message> framed(std::span<const std::byte> text,
                                     const frame_format& format = {});
[[nodiscard]] inline result<message> framed(std::string_view text,
                                            const frame_format& format = {}) {
  return framed(std::as_bytes(std::span(text)), format);
}

// Appends a message with its length, for those who send by other means. std::errc::message_size: it
// is too long; std::errc::invalid_argument: there is no such format.
result<void> append_frame(std::vector<std::byte>& to, std::span<const std::byte> message,
                          const frame_format& format = {});

}  // namespace iolite

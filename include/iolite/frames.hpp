// Messages over a stream: each one preceded by its length, as an unsigned number, most significant
// byte first (network byte order).
//
//   iolite::frames messages(peer);
//   auto m = co_await messages.receive();       // one whole message, however it was cut
//   co_await messages.send("hello");
//
// A stream has no messages: one receive may bring half of one or two and a half. See
// docs/guide/ and examples/tutorial/framing.cpp.
#pragma once
#include "iolite/message.hpp"
#include "iolite/result.hpp"
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace iolite {

struct frame_format {
  // Of `max`: sums of sizes must not wrap around.
  static constexpr std::size_t largest_max = SIZE_MAX / 4;

  unsigned length_bytes = 4;  // 1, 2, 4 or 8
  std::size_t max = 1 << 20;  // bytes; a longer message is refused before it is received
};

// Takes messages out of bytes: no I/O, so that it can be used on any transport.
class frame_decoder {
 public:
  // Throws std::invalid_argument when `format` exceeds what frame_format allows.
  explicit frame_decoder(frame_format format = {});

  // The next whole message, good until the next call of any member; empty optional: more bytes are
  // needed. std::errc::message_size: it is longer than the limit, and the stream is of no more use.
  [[nodiscard]] result<std::optional<std::span<const std::byte>>> next() noexcept;
  // Where the next bytes are to be written: room for at least one byte. The buffer grows with what
  // has arrived, not with the length a message announces: it has 4 KiB, or at most twice the bytes
  // of the message that has begun.
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

// Both directions of one stream, which must outlive it. One receive() and one send() may be pending
// at a time, as on the stream. Buffers grow to the longest message seen, and are used again.
class frames {
 public:
  explicit frames(stream& s, frame_format format = {}) : stream_(s), format_(format), in_(format) {}

  // One message, good until the next receive(). errc::end_of_stream: the peer ended between two
  // messages; errc::truncated: within one; std::errc::message_size: it is too long.
  [[nodiscard]] task<result<std::span<const std::byte>>> receive();
  // All of it, in one piece. std::errc::message_size: it is too long, and nothing was sent.
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> message);
  [[nodiscard]] task<result<void>> send(std::string_view message) {
    return send(std::as_bytes(std::span(message)));
  }
  // A temporary, a std::string for instance: the task keeps it.
  template <detail::owning_bytes Bytes>
  [[nodiscard]] task<result<void>> send(Bytes&& message) {
    return send_kept(*this, std::forward<Bytes>(message));
  }

 private:
  template <class Bytes>
  static task<result<void>> send_kept(frames& by, Bytes message) {
    task<result<void>> sent = by.send(detail::bytes_in(message));
    co_return co_await sent;
  }

  stream& stream_;
  frame_format format_;
  frame_decoder in_;
  std::vector<std::byte> out_;
};

// The same as send() makes of it, to be sent to many: see outbox.hpp; std::errc::message_size.
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

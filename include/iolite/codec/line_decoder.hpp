// The format of `lines` (lines.hpp) without I/O: text, line by line, out of bytes and into them.
#pragma once
#include "iolite/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace iolite {

// What a line may be, and how lines are sent.
struct line_format {
  enum class ending : std::uint8_t { lf, crlf };

  std::size_t max = std::size_t{64} * 1024;  // bytes of a line, its end not counted
  ending sent = ending::lf;  // what ends a line that is sent; received are both, also mixed
};

// Takes lines out of bytes. A line ends with LF or with CRLF; a CR anywhere else is part of it. It
// may hold any other byte, zero and invalid UTF-8 included: see one_line.hpp before it is printed.
// The time is linear in the bytes, however they are cut: each is looked at once.
class line_decoder {
 public:
  using message = std::string_view;

  explicit line_decoder(line_format format = {}) noexcept : max_(format.max) {}

  // The next line without its end, good until the next call of room(); empty optional: more bytes
  // are needed. std::errc::message_size: it is longer than the limit, and the stream is of no more
  // use.
  [[nodiscard]] result<std::optional<message>> next() noexcept;
  // Where the next bytes are to be written: room for at least one byte. The buffer has 4 KiB, or at
  // most twice the bytes of the longest line that has begun.
  [[nodiscard]] std::span<std::byte> room();
  void wrote(std::size_t bytes) noexcept;  // into the front of room()
  // Whether a line has begun that has no end yet.
  [[nodiscard]] bool in_the_middle() const noexcept { return begin_ != end_; }
  // What has arrived of it, good until the next call of room().
  [[nodiscard]] std::string_view rest() const noexcept;

 private:
  std::size_t max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what was not given out yet
  std::size_t searched_ = 0;  // no LF from begin_ to here
  std::size_t end_ = 0;
};

// `line` and its end, to be sent together: send_all(*pieces). std::errc::message_size: it is longer
// than the limit; std::errc::invalid_argument: it holds an LF, or a CR at its end, so that the peer
// would receive other lines than were sent.
[[nodiscard]] result<std::array<std::span<const std::byte>, 2>>
ended_line(std::string_view line, const line_format& format = {}) noexcept;

}  // namespace iolite

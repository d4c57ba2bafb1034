// Text over a byte stream, line by line: what chat, SMTP, Redis and many others speak.
//
//   iolite::lines talk(peer);
//   auto line = co_await talk.receive();        // result<std::string_view>, without its end
//   co_await talk.send("hello");                // and its end
//
// `lines` is for a stream; over any other byte_stream it is basic_lines: `basic_lines l(layer);`.
#pragma once
#include "iolite/byte_stream.hpp"
#include "iolite/codec/line_decoder.hpp"
#include "iolite/net/receive_decoded.hpp"
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

namespace iolite {

// Both directions of one byte stream, which must outlive it. One receive() and one send() may be
// pending at a time, as on the stream. The buffer grows to twice the longest line seen and is used
// again; a line that is sent is copied nowhere.
template <byte_stream S>
class basic_lines {
 public:
  explicit basic_lines(S& s, line_format format = {}) noexcept
      : stream_(s), format_(format), in_(format) {}

  // One line without its LF or CRLF, good until the next receive(). errc::end_of_stream: the peer
  // ended after a line; errc::truncated: within one, which rest() has; std::errc::message_size: it
  // is longer than line_format::max, and the stream is of no more use.
  [[nodiscard]] task<result<std::string_view>> receive() {
    return detail::receive_decoded(stream_, in_);
  }
  // What has arrived behind the last line received, good until the next receive(). Where the peer
  // has ended within a line it is that part of it: a cut command should not be obeyed, the last
  // line of a text may well be read.
  [[nodiscard]] std::string_view rest() const noexcept { return in_.rest(); }

  // The line and its end, by one call where the stream can. std::errc::message_size: it is longer
  // than line_format::max; std::errc::invalid_argument: it holds an LF, or a CR at its end, and so
  // would arrive as something else. In both cases nothing was sent.
  [[nodiscard]] task<result<void>> send(std::string_view line) {
    const auto pieces = ended_line(line, format_);
    if (!pieces) co_return std::unexpected(pieces.error());
    const auto sent = co_await stream_.send_all(std::span<const piece>(*pieces));
    if (!sent) co_return std::unexpected(sent.error());
    co_return result<void>();
  }
  // A temporary, a std::string for instance: the task keeps it.
  template <detail::owning_text Text>
  [[nodiscard]] task<result<void>> send(Text&& line) {
    return send_kept(*this, std::forward<Text>(line));
  }

 private:
  template <class Text>
  static task<result<void>> send_kept(basic_lines& by, Text line) {
    task<result<void>> sent = by.send(std::string_view(line));
    co_return co_await sent;
  }

  S& stream_;
  line_format format_;
  line_decoder in_;
};

using lines = basic_lines<stream>;
extern template class basic_lines<stream>;  // compiled once, with the library

}  // namespace iolite

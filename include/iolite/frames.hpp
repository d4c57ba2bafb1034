// Messages over a byte stream: each one preceded by its length, as an unsigned number, most
// significant byte first (network byte order).
//
//   iolite::frames messages(peer);
//   auto m = co_await messages.receive();       // one whole message, however it was cut
//   co_await messages.send("hello");
//
// `frames` is for a stream; over any other byte_stream it is `basic_frames m(layer);`.
//
// A stream has no messages: one receive may bring half of one or two and a half. See
// docs/guide/ and examples/tutorial/framing.cpp.
#pragma once
#include "iolite/byte_stream.hpp"
#include "iolite/codec/frame_decoder.hpp"
#include "iolite/net/receive_decoded.hpp"
#include "iolite/stream.hpp"
#include "iolite/task.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace iolite {

// Both directions of one byte stream, which must outlive it. One receive() and one send() may be
// pending at a time, as on the stream. Buffers grow to the longest message seen, and are used
// again.
template <byte_stream S>
class basic_frames {
 public:
  explicit basic_frames(S& s, frame_format format = {})
      : stream_(s), format_(format), in_(format) {}

  // One message, good until the next receive(). errc::end_of_stream: the peer ended between two
  // messages; errc::truncated: within one; std::errc::message_size: it is too long.
  [[nodiscard]] task<result<std::span<const std::byte>>> receive() {
    return detail::receive_decoded(stream_, in_);
  }
  // All of it, in one piece. std::errc::message_size: it is too long, and nothing was sent.
  [[nodiscard]] task<result<void>> send(std::span<const std::byte> message) {
    out_.clear();
    if (const auto added = append_frame(out_, message, format_); !added) co_return added;
    const auto sent = co_await stream_.send_all(std::span<const std::byte>(out_));
    if (!sent) co_return std::unexpected(sent.error());
    co_return result<void>();
  }
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
  static task<result<void>> send_kept(basic_frames& by, Bytes message) {
    task<result<void>> sent = by.send(detail::bytes_in(message));
    co_return co_await sent;
  }

  S& stream_;
  frame_format format_;
  frame_decoder in_;
  std::vector<std::byte> out_;
};

using frames = basic_frames<stream>;
extern template class basic_frames<stream>;  // compiled once, with the library

}  // namespace iolite

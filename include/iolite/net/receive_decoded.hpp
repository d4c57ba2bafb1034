// The next message out of a byte stream and a decoder without I/O: what `frames` and `lines` share.
#pragma once
#include "iolite/byte_stream.hpp"
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <expected>

namespace iolite::detail {

// What `in.next()` gives, good until the next call; both outlive the task. errc::end_of_stream: the
// peer ended between two messages; errc::truncated: within one.
template <byte_stream S, class Decoder>
[[nodiscard]] task<result<typename Decoder::message>> receive_decoded(S& from, Decoder& in) {
  for (;;) {
    const auto message = in.next();
    if (!message) co_return std::unexpected(message.error());
    if (const auto& whole = *message) co_return *whole;
    const auto n = co_await from.recv(in.room());
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) {
      const errc why = in.in_the_middle() ? errc::truncated : errc::end_of_stream;
      co_return std::unexpected(make_error_code(why));
    }
    in.wrote(*n);
  }
}

}  // namespace iolite::detail

// See frames.hpp: messages over a stream.
#include "iolite/frames.hpp"

namespace iolite {

task<result<std::span<const std::byte>>> frames::receive() {
  for (;;) {
    const auto message = in_.next();
    if (!message) co_return std::unexpected(message.error());
    if (const auto& whole = *message) co_return *whole;
    const auto n = co_await stream_.recv(in_.room());
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) {
      const errc why = in_.in_the_middle() ? errc::truncated : errc::end_of_stream;
      co_return std::unexpected(make_error_code(why));
    }
    in_.wrote(*n);
  }
}

task<result<void>> frames::send(std::span<const std::byte> message) {
  out_.clear();
  if (const auto added = append_frame(out_, message, format_); !added) co_return added;
  const auto sent = co_await stream_.send_all(out_);
  if (!sent) co_return std::unexpected(sent.error());
  co_return result<void>();
}

}  // namespace iolite

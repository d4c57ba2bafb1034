// See frame_decoder.hpp: bytes in, messages out.
#include "iolite/codec/frame_decoder.hpp"

#include "iolite/core/rule_broken.hpp"

#include <algorithm>
#include <stdexcept>

namespace iolite {
namespace {

constexpr std::size_t room_min = 4096;

const char* mistake_in(const frame_format& f) noexcept {
  const unsigned n = f.length_bytes;
  if (n != 1 && n != 2 && n != 4 && n != 8) return "a length has 1, 2, 4 or 8 bytes";
  return f.max > frame_format::largest_max ? "frame_format::max exceeds largest_max" : nullptr;
}

std::uint64_t read_length(std::span<const std::byte> from) noexcept {
  std::uint64_t n = 0;
  for (const std::byte b : from) n = n << 8 | std::to_integer<std::uint64_t>(b);
  return n;
}

void write_frame(std::span<std::byte> to, std::span<const std::byte> message,
                 const frame_format& f) noexcept {
  const auto length = static_cast<std::uint64_t>(message.size());
  for (std::size_t i = 0; i < f.length_bytes; ++i)
    to[i] = static_cast<std::byte>(length >> (8 * (f.length_bytes - 1 - i)));
  std::copy(message.begin(), message.end(), to.begin() + f.length_bytes);
}

// What fits into the length as well as into the limit.
std::uint64_t longest(const frame_format& f) noexcept {
  const std::uint64_t countable =
      f.length_bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * f.length_bytes)) - 1;
  return std::min<std::uint64_t>(f.max, countable);
}

std::unexpected<std::error_code> too_long() noexcept {
  return std::unexpected(std::make_error_code(std::errc::message_size));
}

// Whether a message of this size can be sent.
result<void> check(std::size_t size, const frame_format& f) noexcept {
  if (mistake_in(f)) return std::unexpected(std::make_error_code(std::errc::invalid_argument));
  if (size > longest(f)) return too_long();
  return {};
}

}  // namespace

frame_decoder::frame_decoder(frame_format format) : format_(format) {
  if (const char* const mistake = mistake_in(format_)) throw std::invalid_argument(mistake);
}

result<std::optional<std::span<const std::byte>>> frame_decoder::next() noexcept {
  const std::span<const std::byte> have(buffer_.data() + begin_, end_ - begin_);
  wanted_ = format_.length_bytes;
  if (have.size() < wanted_) return std::nullopt;
  const std::uint64_t length = read_length(have.first(wanted_));
  if (length > format_.max) return too_long();  // before anything is added to it
  wanted_ += static_cast<std::size_t>(length);
  if (have.size() < wanted_) return std::nullopt;
  begin_ += wanted_;
  return have.subspan(format_.length_bytes, static_cast<std::size_t>(length));
}

// A length is only a promise: the buffer at most doubles what has arrived, once that fills it.
std::span<std::byte> frame_decoder::room() {
  const std::size_t have = end_ - begin_;
  const std::size_t rest = std::max(wanted_, have + 1);
  const std::size_t needed = std::min(rest, std::max(room_min, 2 * have));
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - begin_ < needed && begin_ > 0) {
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), have, buffer_.begin());
    begin_ = 0;
    end_ = have;
  }
  if (end_ == buffer_.size()) buffer_.resize(std::max(needed, room_min));
  return std::span(buffer_).subspan(end_);
}

void frame_decoder::wrote(std::size_t bytes) noexcept {
  if (bytes > buffer_.size() - end_) detail::rule_broken("wrote() names bytes within room()");
  end_ += bytes;
}

result<void> append_frame(std::vector<std::byte>& to, std::span<const std::byte> message,
                          const frame_format& format) {
  if (const auto possible = check(message.size(), format); !possible) return possible;
  const std::size_t before = to.size();
  to.resize(before + format.length_bytes + message.size());
  write_frame(std::span(to).subspan(before), message, format);
  return {};
}

result<message> framed(std::span<const std::byte> text, const frame_format& format) {
  if (const auto possible = check(text.size(), format); !possible) {
    return std::unexpected(possible.error());
  }
  return message(format.length_bytes + text.size(),
                 [&](std::span<std::byte> to) { write_frame(to, text, format); });
}

}  // namespace iolite

// See line_decoder.hpp: bytes in, lines out.
#include "iolite/codec/line_decoder.hpp"

#include "iolite/core/rule_broken.hpp"

#include <algorithm>
#include <cstring>

namespace iolite {
namespace {

constexpr std::size_t first_room = 4096;

std::unexpected<std::error_code> because(std::errc why) noexcept {
  return std::unexpected(std::make_error_code(why));
}

std::string_view without_cr(std::string_view line) noexcept {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

result<std::optional<std::string_view>> line_decoder::next() noexcept {
  const char* const from = buffer_.data() + searched_;
  const std::size_t fresh = end_ - searched_;
  const void* const found = fresh > 0 ? std::memchr(from, '\n', fresh) : nullptr;
  if (!found) {
    searched_ = end_;
    if (without_cr(rest()).size() > max_) return because(std::errc::message_size);
    return std::nullopt;
  }
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
  const auto line = without_cr({buffer_.data() + begin_, at - begin_});
  if (line.size() > max_) return because(std::errc::message_size);
  begin_ = searched_ = at + 1;
  return line;
}

// What has arrived of a line moves to the front where little room is left behind it. Where it fills
// more than half of the buffer, that doubles. So at least as many bytes arrive or leave between two
// moves as are moved.
std::span<std::byte> line_decoder::room() {
  const std::size_t have = end_ - begin_;
  const std::size_t quarter = buffer_.size() / 4;
  const std::size_t free = buffer_.size() - end_;
  if (free == 0 || (free < quarter && have < quarter)) {
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), have, buffer_.begin());
    searched_ -= begin_;
    begin_ = 0;
    end_ = have;
    if (have * 2 >= buffer_.size()) buffer_.resize(std::max(2 * have, first_room));
  }
  return std::as_writable_bytes(std::span(buffer_).subspan(end_));
}

void line_decoder::wrote(std::size_t bytes) noexcept {
  if (bytes > buffer_.size() - end_) detail::rule_broken("wrote() names bytes within room()");
  end_ += bytes;
}

std::string_view line_decoder::rest() const noexcept {
  return {buffer_.data() + begin_, end_ - begin_};
}

result<std::array<std::span<const std::byte>, 2>> ended_line(std::string_view line,
                                                             const line_format& format) noexcept {
  constexpr std::string_view crlf = "\r\n";
  if (line.size() > format.max) return because(std::errc::message_size);
  if (line.ends_with('\r') || line.find('\n') != line.npos)
    return because(std::errc::invalid_argument);
  const bool both = format.sent == line_format::ending::crlf;
  return std::array{std::as_bytes(std::span(line)),
                    std::as_bytes(std::span(both ? crlf : crlf.substr(1)))};
}

}  // namespace iolite

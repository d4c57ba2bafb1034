// See lines.hpp.
#include "support/lines.hpp"

#include <array>
#include <span>

namespace tutorial {

std::optional<std::string> line_splitter::take() {
  const auto end = unread_.find('\n');
  if (end == std::string::npos || end > longest) return std::nullopt;
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool line_splitter::too_long() const noexcept {
  return unread_.size() > longest && unread_.find('\n') > longest;
}

iolite::task<std::optional<std::string>> line_reader::next() {
  std::array<char, 4096> buffer;
  for (;;) {
    if (auto line = lines_.take()) co_return line;
    if (lines_.too_long()) co_return std::nullopt;
    const auto received = co_await from_.recv(std::as_writable_bytes(std::span(buffer)));
    if (!received || *received == 0) co_return std::nullopt;
    lines_.put({buffer.data(), *received});
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

}  // namespace tutorial

// See lines.hpp.
#include "support/lines.hpp"

#include <array>

namespace tutorial {

iolite::task<std::optional<std::string>> next_line(iolite::stream& from, std::string& read) {
  std::array<char, 1024> piece;
  for (;;) {
    if (const std::size_t end = read.find('\n'); end != std::string::npos) {
      std::optional line(read.substr(0, end));
      read.erase(0, end + 1);
      co_return line;
    }
    if (read.size() >= piece.size()) co_return std::nullopt;
    const auto n = co_await from.recv(std::as_writable_bytes(std::span(piece)));
    if (!n || *n == 0) co_return std::nullopt;
    read.append(piece.data(), *n);
  }
}

}  // namespace tutorial

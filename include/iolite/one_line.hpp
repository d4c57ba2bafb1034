// Makes text that comes from elsewhere (a peer, an exception, a path) safe to print as one line:
//
//   log(iolite::one_line(e.what()));
//
// A terminal obeys escape sequences, and a reader of a log takes each line for an entry of its own.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace iolite {

inline constexpr std::size_t line_bytes_max = 512;

// `text` as one line of valid UTF-8 and at most `bytes_max` bytes (4 at least), "..." at the end
// where it was cut. Each byte of a control character (line breaks, tabs, ESC, C1), of a character
// that changes the direction of text, and each byte that is no UTF-8 becomes \xNN. What is safe
// stays as it is, so a line that was made here passes unchanged. Throws std::bad_alloc.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t bytes_max = line_bytes_max);

}  // namespace iolite

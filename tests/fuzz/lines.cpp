// one_line(): whatever comes in, what goes to a log is one line that no terminal obeys.
#include "fuzz.hpp"
#include "iolite/one_line.hpp"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  for (const std::size_t most : {iolite::line_bytes_max, std::size_t{4}, std::size_t{40}}) {
    const std::string line = iolite::one_line(text, most);
    fuzz::require(line.size() <= most, "no longer than asked for:", line);
    fuzz::require(
        std::ranges::none_of(line, [](char c) { return (c >= 0 && c < ' ') || c == 127; }),
        "no control characters");
    fuzz::require(line.find("\xc2\x9b") == line.npos, "no control sequence of one character");
    fuzz::require(iolite::one_line(line, most) == line, "what is safe stays as it is:", line);
    const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 127; });
    fuzz::require(!plain || size > most || line == text, "plain text is not changed:", line);
  }
  return 0;
}

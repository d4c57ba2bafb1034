// line_decoder: any way to cut the bytes gives the same lines and the same end, and they are those
// that a plain search finds.
#include "iolite/codec/line_decoder.hpp"
#include "fuzz.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

using iolite::line_decoder;
using iolite::line_format;

struct outcome {
  std::vector<std::string> lines;
  bool too_long = false;
  std::string rest;
  bool operator==(const outcome&) const = default;
};

std::string without_cr(std::string line) {
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

outcome by_search(std::string_view text, std::size_t max) {
  outcome out;
  for (;;) {
    const std::size_t end = text.find('\n');
    const std::string line = without_cr(std::string(text.substr(0, end)));
    if (line.size() > max) {
      out.too_long = true;
      return out;
    }
    if (end == text.npos) break;
    out.lines.push_back(line);
    text.remove_prefix(end + 1);
  }
  out.rest = text;
  return out;
}

// False: a line is too long.
bool take_lines(line_decoder& d, outcome& out) {
  for (;;) {
    const auto line = d.next();
    if (!line) {
      fuzz::require(line.error() == std::errc::message_size, "the only error there is");
      out.too_long = true;
      return false;
    }
    if (!*line) return true;
    out.lines.emplace_back(**line);
  }
}

outcome decode(std::string_view bytes, std::size_t max, const fuzz::decisions& cut) {
  line_decoder d({.max = max});
  outcome out;
  if (!fuzz::pour(d, std::as_bytes(std::span(bytes)), cut, [&] { return take_lines(d, out); }))
    return out;
  out.rest = d.rest();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::decisions choose({data, size});
  const std::size_t max = std::size_t{1} << choose.below(16);
  const auto stream = choose.rest();
  const std::string_view text = fuzz::text_of(stream.data(), stream.size());
  const outcome expected = by_search(text, max);
  constexpr std::uint8_t one_at_a_time[] = {0};
  for (const std::span<const std::uint8_t> cut :
       {std::span<const std::uint8_t>(), std::span<const std::uint8_t>(one_at_a_time), stream}) {
    fuzz::require(decode(text, max, fuzz::decisions(cut)) == expected, "the same lines");
  }
  for (const std::string& line : expected.lines) {
    const auto pieces = iolite::ended_line(line, {.max = max});
    fuzz::require(pieces.has_value() == !line.ends_with('\r'), "what was received can be sent");
  }
  return 0;
}

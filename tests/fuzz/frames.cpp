// frame_decoder: any way to cut the bytes gives the same messages and the same end.
#include "fuzz.hpp"
#include "iolite/codec/frame_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

using iolite::frame_decoder;
using iolite::frame_format;

struct outcome {
  std::vector<std::string> messages;
  bool too_long = false;
  bool in_the_middle = false;
  bool operator==(const outcome&) const = default;
};

// False: the stream is of no more use.
bool take_messages(frame_decoder& d, outcome& out, const frame_format& format) {
  for (;;) {
    const auto m = d.next();
    if (!m) {
      fuzz::require(m.error() == std::errc::message_size, "the only error there is");
      out.too_long = true;
      return false;
    }
    if (!*m) return true;
    fuzz::require((*m)->size() <= format.max, "no message is longer than the limit");
    out.messages.emplace_back(reinterpret_cast<const char*>((*m)->data()), (*m)->size());
  }
}

outcome decode(std::span<const std::uint8_t> bytes, const frame_format& format,
               const fuzz::decisions& cut) {
  frame_decoder d(format);
  outcome out;
  if (!fuzz::pour(d, std::as_bytes(bytes), cut, [&] { return take_messages(d, out, format); }))
    return out;
  out.in_the_middle = d.in_the_middle();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::decisions choose({data, size});
  constexpr unsigned lengths[] = {1, 2, 4, 8};
  const frame_format format{.length_bytes = lengths[choose.below(4)],
                            .max = std::size_t{1} << choose.below(62)};
  const auto stream = choose.rest();
  const outcome expected = decode(stream, format, fuzz::decisions({}));
  constexpr std::uint8_t one_at_a_time[] = {0};
  fuzz::require(decode(stream, format, fuzz::decisions(one_at_a_time)) == expected,
                "a byte at a time gives the same");
  fuzz::require(decode(stream, format, fuzz::decisions(stream)) == expected,
                "other pieces give the same");

  std::vector<std::byte> written;
  for (const std::string& m : expected.messages) {
    const auto r = append_frame(written, std::as_bytes(std::span(m)), format);
    fuzz::require(r.has_value(), "what was received can be sent");
  }
  fuzz::require(written.size() <= stream.size() &&
                    std::ranges::equal(written, std::as_bytes(stream.first(written.size()))),
                "and is the same on the wire");
  return 0;
}

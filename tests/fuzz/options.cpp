// Durations, sizes and rates of the command line: what is written is read as the same.
#include "apps/options.hpp"
#include "fuzz.hpp"

#include <cmath>

namespace {

using namespace iolite::app;

template <class T>
void refusal_says_why(const parsed<T>& p, std::string_view text) {
  fuzz::require(p || p.error().find(text) != std::string::npos, "a refusal shows the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto duration = parse_duration(text);
  refusal_says_why(duration, text);
  if (duration) {
    fuzz::require(duration->count() >= 0, "a duration is not negative");
    const auto again = parse_duration(duration_text(*duration));
    const double off = again ? std::abs(static_cast<double>((*again - *duration).count())) : 1e18;
    // Numbers are read as double: 53 bits.
    fuzz::require(off <= static_cast<double>(duration->count()) * 1e-15,
                  "a duration is kept:", duration_text(*duration));
  }
  const auto bytes = parse_size(text);
  refusal_says_why(bytes, text);
  if (bytes) fuzz::require(parse_size(size_text(*bytes)) == bytes, "a size is kept");
  const auto rate = parse_rate(text);
  refusal_says_why(rate, text);
  if (rate) fuzz::require(*rate > 0 && std::isfinite(*rate), "a rate is a number above zero");
  return 0;
}

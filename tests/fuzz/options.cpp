// Numbers of the command line: what is written is read as the same.
#include "apps/terminal/options.hpp"
#include "apps/load/schedule.hpp"
#include "fuzz.hpp"

#include <algorithm>
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
  if (rate) {
    const auto period = length_of(1 / *rate);
    fuzz::require(period > iolite::clock::duration::zero(), "a rate has a period");
    fuzz::require(period < iolite::clock::duration::max(), "the period of a rate is not for ever");
  }
  const auto share = parse_share(text);
  refusal_says_why(share, text);
  if (share)
    fuzz::require(*share > 0 && *share <= 1, "a share is more than nothing, and not more than all");
  const auto minutes = parse_minutes(text);
  refusal_says_why(minutes, text);
  if (minutes) {
    const auto length = length_of(*minutes * 60);
    fuzz::require(*minutes > 0 && length > iolite::clock::duration::zero(), "minutes last");
    fuzz::require(length < iolite::clock::duration::max(), "minutes end");
  }
  const auto whole = parse_whole(text);
  refusal_says_why(whole, text);
  const auto few = parse_count(text, 2, 5);
  refusal_says_why(few, text);
  fuzz::require(few.has_value() == (whole && *whole >= 2 && *whole <= 5), "a count has its bounds");
  if (whole) {
    const std::string again = std::to_string(*whole);
    fuzz::require(text.substr(std::min(text.find_first_not_of('0'), text.size() - 1)) == again,
                  "a whole number is digits only:", again);
  }
  fuzz::require(parse_name(text).has_value() == !text.empty(), "a name is not empty");
  return 0;
}

// endpoint::parse(): what it takes it can write, and reads again as the same.
#include "fuzz.hpp"
#include "iolite/endpoint.hpp"

#include <algorithm>
#include <cctype>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using iolite::endpoint;
  const std::string_view text = fuzz::text_of(data, size);
  const auto parsed = endpoint::parse(text);
  if (!parsed) {
    fuzz::require(!parsed.error().message.empty(), "a refusal says why");
    return 0;
  }
  fuzz::require(parsed->is_tcp() != parsed->is_unix(), "one kind of address");
  const auto is_plain = [](unsigned char c) { return std::isgraph(c) != 0; };
  fuzz::require(parsed->is_unix() || std::ranges::all_of(text, is_plain),
                "an internet address is in printable characters");
  fuzz::require(text.find('\0') == text.npos, "no zero byte is passed over");
  const std::string written = parsed->to_string();
  const auto again = endpoint::parse(written);
  fuzz::require(again && *again == *parsed, "what is written is read as the same:", written);
  fuzz::require(endpoint::from_native(parsed->native(), parsed->native_bytes()) == *parsed,
                "the native form is the same");
  endpoint other = *parsed;
  other.set_port(7);
  fuzz::require(other.port() == (parsed->is_tcp() ? 7 : 0), "a port can be set");
  return 0;
}

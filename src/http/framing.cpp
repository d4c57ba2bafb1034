// See framing.hpp: RFC 9112, 6.1 to 6.3 and 9.3, and what request smuggling has taught.
#include "http/framing.hpp"

#include "http/characters.hpp"

#include <charconv>

namespace iolite::http {
namespace {

constexpr std::size_t length_digits_max = 18;  // less than 2^63

mistake read_length(message_head& head, std::string_view value) noexcept {
  if (!is_number(value)) return {"Content-Length is not a number"};
  if (value.size() > length_digits_max) return {"Content-Length is out of range", 413};
  std::from_chars(value.data(), value.data() + value.size(), head.content_length);
  head.body = framing::length;
  return {};
}

// Then the end of the body is known, though not what it means.
bool ends_chunked_once(std::string_view codings) noexcept {
  for (;;) {
    const auto [coding, last] = take_member(codings);
    if (!is_token(coding) || same_name(coding, "chunked") != last) return false;
    if (last) return true;
  }
}

// Of a request. RFC 9112, 6.1 and 6.3.
mistake read_coding(message_head& head, std::string_view value) noexcept {
  if (head.minor_version == 0) return {"HTTP/1.0 has no Transfer-Encoding"};
  if (same_name(value, "chunked")) {
    head.body = framing::chunked;
    return {};
  }
  if (!ends_chunked_once(value)) return {"the last transfer coding is not chunked"};
  return {"a transfer coding is not known", 501};
}

}  // namespace

mistake read_framing(message_head& head) noexcept {
  const auto length = head.fields.find("Content-Length");
  const auto coding = head.fields.find("Transfer-Encoding");
  const bool close = head.fields.lists("Connection", "close");
  head.keep_alive =
      !close && (head.minor_version > 0 || head.fields.lists("Connection", "keep-alive"));
  if (length && coding) return {"both Content-Length and Transfer-Encoding"};
  if (head.fields.count("Content-Length") > 1) return {"Content-Length twice"};
  if (head.fields.count("Transfer-Encoding") > 1) return {"Transfer-Encoding twice"};
  if (coding) return read_coding(head, *coding);
  return length ? read_length(head, *length) : mistake();
}

}  // namespace iolite::http

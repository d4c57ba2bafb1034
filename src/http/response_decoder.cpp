// See decoder.hpp: what a response must have (RFC 9112, 4 and 6.3).
#include "http/characters.hpp"
#include "http/framing.hpp"
#include "iolite/http/decoder.hpp"

namespace iolite::http {
namespace {

constexpr std::size_t version_bytes = 8;  // HTTP/1.1
constexpr std::size_t until_reason = version_bytes + 4;  // and a space, and three digits

bool never_has_a_body(unsigned status) noexcept { return status < 200 || status == 204; }

}  // namespace

void response_decoder::expect(std::string_view method) noexcept {
  to_head_ = method == "HEAD";
  to_connect_ = method == "CONNECT";
}

// The space behind the status may lack where there is no reason: servers of today leave it out.
bool response_decoder::check_first_line(std::string_view line) noexcept {
  const std::string_view version = line.substr(0, version_bytes);
  if (!is_some_version(version)) return wrong("the status line has no version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return fail(std::errc::not_supported, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
  const bool digits = line.size() >= until_reason && line[version_bytes] == ' ' &&
                      is_number(line.substr(version_bytes + 1, 3)) &&
                      line[version_bytes + 1] != '0';
  const std::string_view rest = line.substr(std::min(line.size(), until_reason));
  if (!digits || (!rest.empty() && rest.front() != ' ') || !is_value(rest))
    return wrong("the status line is not a version, a status and a reason");
  return true;
}

bool response_decoder::take_head(std::string_view head, field_list fields) noexcept {
  response_ = {};
  response_.fields = fields;
  response_.minor_version = head[version_bytes - 1] == '1' ? 1 : 0;
  response_.reason =
      without_space_around(head.substr(until_reason, head.find('\r') - until_reason));
  second_reading again;
  mistake found = read_framing(response_);
  if (!found.why) found = read_again(head, false, response_, again);
  if (found.why) return refuse(found.status, found.why);
  response_.status = again.status;
  return take_body();
}

bool response_decoder::take_body() noexcept {
  const unsigned status = response_.status;
  const bool says = response_.body == framing::chunked || response_.content_length > 0;
  if (never_has_a_body(status) && says) return wrong("a body where none may be");
  const bool switches = status == 101 || (to_connect_ && status / 100 == 2);
  if (never_has_a_body(status) || status == 304 || to_head_ || switches) {
    response_.body = framing::none;
  } else if (response_.body == framing::none) {
    response_.body = framing::until_end;
    response_.keep_alive = false;
  }
  if (response_.is_interim()) response_.keep_alive = true;  // the answer is still to come
  begin_body(response_);
  if (switches) switch_protocols();
  return true;
}

result<event> response_decoder::end_of_stream() noexcept {
  if (const auto e = error()) return std::unexpected(e);
  if (ends_with_the_stream()) return end_message(), event::end;
  if (in_the_middle()) return std::unexpected(make_error_code(errc::truncated));
  return event::more;
}

}  // namespace iolite::http

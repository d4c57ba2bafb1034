// llhttp reads a whole head: see framing.hpp.
#include "http/characters.hpp"
#include "http/framing.hpp"

#include <llhttp.h>

namespace iolite::http {
namespace {

int stop_behind_the_head(llhttp_t*) { return HPE_PAUSED; }

const llhttp_settings_t& settings() noexcept {
  static const llhttp_settings_t all = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_headers_complete = stop_behind_the_head;
    return s;
  }();
  return all;
}

bool says_the_same(const llhttp_t& parser, const message_head& head) noexcept {
  const bool chunked = (parser.flags & F_CHUNKED) != 0;
  const bool sized = (parser.flags & F_CONTENT_LENGTH) != 0;
  if (chunked != (head.body == framing::chunked) || sized != (head.body == framing::length))
    return false;
  return !sized || parser.content_length == head.content_length;
}

}  // namespace

mistake read_again(std::string_view bytes, bool is_request, const message_head& head,
                   second_reading& found) noexcept {
  llhttp_t parser;
  llhttp_init(&parser, is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  const auto outcome = llhttp_execute(&parser, bytes.data(), bytes.size());
  const bool known = outcome != HPE_INVALID_METHOD && outcome != HPE_INVALID_CONSTANT;
  if (is_request && !known) return {"the method is not known", 501};
  if (outcome != HPE_PAUSED) return {llhttp_get_error_reason(&parser)};
  if (!says_the_same(parser, head)) return {"the length of the body is ambiguous"};
  if (is_request) found.method = llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
  else found.status = parser.status_code;
  return {};
}

}  // namespace iolite::http

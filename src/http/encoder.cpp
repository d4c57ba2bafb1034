// See encoder.hpp.
#include "iolite/http/encoder.hpp"

#include "base/assert.hpp"
#include "http/characters.hpp"

#include <utility>

namespace iolite::http {
namespace {

std::unexpected<std::error_code> invalid() noexcept {
  return std::unexpected(std::make_error_code(std::errc::invalid_argument));
}

constexpr std::pair<unsigned, std::string_view> reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view reason_of(unsigned status) noexcept {
  const auto* const found =
      std::ranges::find(reasons, status, [](const auto& r) { return r.first; });
  return found == std::end(reasons) ? std::string_view() : found->second;
}

result<void> append_status_line(std::string& to, unsigned status) {
  return append_status_line(to, status, reason_of(status));
}

result<void> append_status_line(std::string& to, unsigned status, std::string_view reason) {
  if (status < 100 || status > 999 || !is_value(reason)) return invalid();
  to.append("HTTP/1.1 ").append(std::to_string(status));
  to.append(" ").append(reason).append("\r\n");
  return {};
}

result<void> append_request_line(std::string& to, std::string_view method,
                                 std::string_view target) {
  if (!is_token(method) || !is_visible(target) || target.find('#') != target.npos) return invalid();
  to.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  return {};
}

result<void> append_field(std::string& to, std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_value(value)) return invalid();
  if (without_space_around(value).size() != value.size()) return invalid();
  to.append(name).append(": ").append(value).append("\r\n");
  return {};
}

chunk_head::chunk_head(std::uint64_t chunk_bytes) noexcept {
  IOLITE_ASSERT(chunk_bytes > 0, "a chunk has a byte or more: none would end the body");
  std::size_t at = text_.size();
  text_[--at] = '\n';
  text_[--at] = '\r';
  do {
    text_[--at] = "0123456789abcdef"[chunk_bytes % 16];
    chunk_bytes /= 16;
  } while (chunk_bytes > 0);
  begin_ = static_cast<std::uint8_t>(at);
}

}  // namespace iolite::http

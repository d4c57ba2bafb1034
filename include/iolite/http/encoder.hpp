// Heads and chunks of HTTP/1.1 messages to send (RFC 9112), without I/O.
//
//   std::string head;
//   http::append_status_line(head, 200);
//   http::append_field(head, "Content-Length", "5");
//   http::append_field(head, "Date", date);          // the codec knows no clock
//   http::end_head(head);
//   co_await s.send_all(head + "hello");
//
// What would end a line, or begin another field, is refused with std::errc::invalid_argument, and
// nothing is appended then. Whether the fields fit together is the caller's business.
#pragma once
#include "iolite/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace iolite::http {

// The reason phrase of a status (RFC 9110, 15); empty: none is known.
[[nodiscard]] std::string_view reason_of(unsigned status) noexcept;

// `HTTP/1.1 200 OK`. A status has three digits.
result<void> append_status_line(std::string& to, unsigned status);
result<void> append_status_line(std::string& to, unsigned status, std::string_view reason);
// `GET /path HTTP/1.1`.
result<void> append_request_line(std::string& to, std::string_view method, std::string_view target);
// A name is a token. A value has no controls but tabs, and no white space around it.
result<void> append_field(std::string& to, std::string_view name, std::string_view value);
inline void end_head(std::string& to) { to += "\r\n"; }

// The line ahead of a chunk. A chunk has chunk_end behind it, and a byte or more: one of none would
// end the body, and the program stops.
class chunk_head {
 public:
  explicit chunk_head(std::uint64_t chunk_bytes) noexcept;
  [[nodiscard]] std::string_view text() const noexcept {
    return {text_.data() + begin_, text_.size() - begin_};
  }

 private:
  std::array<char, 18> text_{};
  std::uint8_t begin_ = 0;
};
inline constexpr std::string_view chunk_end = "\r\n";
// Behind the last chunk; trailers lie between its two lines: append_field(), then end_head().
inline constexpr std::string_view last_chunk = "0\r\n";

}  // namespace iolite::http

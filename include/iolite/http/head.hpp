// Heads of HTTP/1.1 messages (RFC 9110, RFC 9112) as views of the bytes they arrived in.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace iolite::http {

// A field of a message, a header or a trailer (RFC 9110, 5). Both texts are the parser's.
struct field {
  std::string_view name;   // as it was sent: compare without regard to case
  std::string_view value;  // without the white space around it
};

// Whether two names are the same (RFC 9110, 5.1): ASCII letters compare without regard to case.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

// In the order they came.
class field_list {
 public:
  field_list() noexcept = default;
  explicit field_list(std::span<const field> all) noexcept : all_(all) {}

  [[nodiscard]] auto begin() const noexcept { return all_.begin(); }
  [[nodiscard]] auto end() const noexcept { return all_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  // Of the first field with this name; empty optional: there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  // Whether a field with this name lists `token`, as `Connection: keep-alive, Upgrade` lists two.
  // For lists of tokens: a comma within quotes parts two of them.
  [[nodiscard]] bool lists(std::string_view name, std::string_view token) const noexcept;

 private:
  std::span<const field> all_;
};

// How long the body is (RFC 9112, 6.3).
enum class framing : std::uint8_t {
  none,  // no body
  length,  // Content-Length, which may be 0
  chunked,  // Transfer-Encoding: chunked
  until_end,  // a response that lasts until the connection ends
};

// What requests and responses have in common.
struct message_head {
  field_list fields;
  framing body = framing::none;
  std::uint64_t content_length = 0;  // with framing::length
  std::uint8_t minor_version = 1;  // HTTP/1.1 or HTTP/1.0
  bool keep_alive = true;  // whether another message may follow on the connection
};

// What a request begins with: its line and its fields (RFC 9112, 3).
struct request_head : message_head {
  std::string_view method;  // upper case, one that llhttp knows; else a request is refused
  std::string_view target;  // as it was sent: `/path?query`, `http://host/path`, `host:port` or `*`
  std::string_view host;  // of an absolute target, else of Host; empty: HTTP/1.0 without one
  bool expects_continue = false;  // send 100 (Continue), or a final answer, before reading the body
  // The protocols of Upgrade, where Connection lists it; else empty. May be ignored.
  std::string_view upgrade;
};

// What an answer begins with: its status and its fields (RFC 9112, 4).
struct response_head : message_head {
  unsigned status = 0;  // 100 to 999
  std::string_view reason;  // may be empty
  // 1xx but 101: the answer itself is still to come, as another head.
  [[nodiscard]] bool is_interim() const noexcept { return status < 200 && status != 101; }
};

}  // namespace iolite::http

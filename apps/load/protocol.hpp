// What a load says to a server, and how it tells that an answer is complete.
//
// A conversation is one connection's part of a protocol: bytes out, bytes in, no I/O. Another
// protocol is another conversation, and a line in make_conversation().
#pragma once
#include "load/pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace iolite::app {

enum class protocol : std::uint8_t {
  echo,   // every byte comes back: RFC 862
  lines,  // each line is answered by one line
  http,   // HTTP/1.1: RFC 9112
};

// What a request of some protocols needs beside its size.
struct request_options {
  protocol kind = protocol::echo;
  std::string path = "/";  // http
  std::string host;        // http
  bool body = false;       // http: POST with a body of the message's size, instead of GET
  std::size_t answer_bytes = 0;  // echo: the answer is the start of the pattern, so many bytes
};

// What some bytes from the server complete.
struct progress {
  unsigned answers = 0;  // as they should be
  unsigned refused = 0;  // complete, but they tell of an error
  std::string why;       // the first of those
};

class conversation {
 public:
  conversation() = default;
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;
  virtual ~conversation() = default;

  // What asks for an answer to messages of these sizes, in one piece. Valid until the next call.
  [[nodiscard]] virtual std::span<const std::byte> ask(std::span<const std::size_t> sizes) = 0;
  // Takes what has arrived, in whatever pieces. The error: why this is no answer.
  [[nodiscard]] virtual std::expected<progress, std::string>
  take(std::span<const std::byte> arrived) = 0;
  // The server has sent the end of its stream. Whether this completes an answer.
  [[nodiscard]] virtual bool end() { return false; }
  // Whether the server goes away after the last answer.
  [[nodiscard]] virtual bool over() const noexcept { return false; }
  // Another connection takes the place of the old one.
  virtual void begin_anew() {}
};

// `index` makes what connections send different. `text` outlives it.
[[nodiscard]] std::unique_ptr<conversation> make_conversation(const request_options& options,
                                                              const pattern& text, unsigned index);

// "echo", "lines", "http"; the error lists them.
[[nodiscard]] std::expected<protocol, std::string> parse_protocol(std::string_view name);

}  // namespace iolite::app

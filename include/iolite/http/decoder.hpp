// HTTP/1.1 messages out of bytes (RFC 9112), for a server and for a client. Without I/O: the bytes
// may come from anywhere, cut anywhere.
//
//   http::request_decoder d;
//   d.feed(received);                    // lent
//   for (;;) {
//     const auto e = d.next();
//     if (!e) return refuse(d.status(), d.why());    // answer, and close the connection
//     switch (*e) {
//     case http::event::more:            // all is used up: receive
//     case http::event::head:            // a request has begun: d.head()
//     case http::event::body:            // a part of its body: d.body()
//     case http::event::end:             // it is whole: d.trailers(); another one may follow
//     case http::event::upgraded:        // what follows is another protocol: d.unused()
//     }
//   }
//
// llhttp parses the heads, in strict mode, and rules of our own refuse what it lets through; both
// must find the same body. Nothing is repaired: what could be read in two ways is refused, and
// nothing behind it is read.
#pragma once
#include "iolite/http/head.hpp"
#include "iolite/http/message_decoder.hpp"
#include "iolite/result.hpp"

#include <string_view>

namespace iolite::http {

// Requests, for a server.
class request_decoder final : public decoder {
 public:
  explicit request_decoder(const limits& most = {}) noexcept : decoder(most) {}

  // Of the request that has begun. Its views last as long as the bytes that were fed, and at most
  // until the call of next() behind event::end: the decoder has the list of fields, and a copy of a
  // head that was cut between two feeds.
  [[nodiscard]] const request_head& head() const noexcept { return request_; }
  // After event::head of a request with `upgrade`, or of a CONNECT, that has been granted: next()
  // gives event::upgraded.
  void upgrade() noexcept { switch_protocols(); }

 private:
  bool check_first_line(std::string_view line) noexcept override;
  bool take_head(std::string_view head, field_list fields) noexcept override;
  [[nodiscard]] bool check_host() noexcept;
  [[nodiscard]] bool check_target() noexcept;
  [[nodiscard]] bool check_expectation() noexcept;

  request_head request_;
};

// Responses, for a client.
class response_decoder final : public decoder {
 public:
  explicit response_decoder(const limits& most = {}) noexcept : decoder(most) {}

  // The method of the request that the next head answers: those to HEAD have no body, and 2xx to
  // CONNECT begins another protocol. It holds until it is called again.
  void expect(std::string_view method) noexcept;
  // Lasts like that of a request.
  [[nodiscard]] const response_head& head() const noexcept { return response_; }
  // The peer has ended the stream: event::end when the body lasts until then, event::more when
  // nothing has begun; errc::truncated within a message.
  [[nodiscard]] result<event> end_of_stream() noexcept;

 private:
  bool check_first_line(std::string_view line) noexcept override;
  bool take_head(std::string_view head, field_list fields) noexcept override;
  [[nodiscard]] bool take_body() noexcept;

  response_head response_;
  bool to_head_ = false, to_connect_ = false;
};

}  // namespace iolite::http

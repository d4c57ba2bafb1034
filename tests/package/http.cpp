// Links the HTTP codec, and llhttp with it.
#include <iolite/http/decoder.hpp>

int main() {
  constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  iolite::http::request_decoder d;
  d.feed(std::as_bytes(std::span(request)));
  return d.next() == iolite::http::event::head && d.head().target == "/" ? 0 : 1;
}

// What every head is asked: how long is the body, and may another message follow?
#pragma once
#include "iolite/http/head.hpp"

#include <string_view>

namespace iolite::http {

// One thing that is wrong; a null text: nothing is.
struct mistake {
  const char* why = nullptr;
  unsigned status = 400;
};

// Sets minor_version, body, content_length and keep_alive of `head` from its fields. A head that
// says nothing of a body has none: framing::none.
[[nodiscard]] mistake read_framing(message_head& head) noexcept;

// llhttp, in strict mode, about the same bytes: a second reader must find the same body.
struct second_reading {
  std::string_view method;
  unsigned status = 0;
};
[[nodiscard]] mistake read_again(std::string_view bytes, bool is_request, const message_head& head,
                                 second_reading& found) noexcept;

}  // namespace iolite::http

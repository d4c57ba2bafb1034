// See websocket.hpp: which close codes there are.
#include "iolite/codec/websocket.hpp"

namespace iolite::ws {

bool may_be_sent(close_code code) noexcept {
  const auto n = static_cast<unsigned>(code);
  if (n >= 3000) return n <= 4999;
  return n >= 1000 && n <= 1014 && (n < 1004 || n > 1006);
}

close_code close_code_for(std::error_code error) noexcept {
  if (error == std::errc::protocol_error) return close_code::protocol_error;
  if (error == std::errc::illegal_byte_sequence) return close_code::invalid_payload;
  if (error == std::errc::message_size) return close_code::too_big;
  return close_code::internal_error;
}

}  // namespace iolite::ws

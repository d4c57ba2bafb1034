// The line ahead of each chunk of a body (RFC 9112, 7.1), byte by byte. See message_decoder.hpp,
// which it is a part of.
#pragma once
#include <cstdint>
#include <string_view>

namespace iolite::http {

// 16 HEXDIG at most, then [ ; name [ = token or "quoted" ] ]... and CR LF. Nothing else: no white
// space, no sign, no `0x`, no bare LF.
class chunk_line {
 public:
  enum class outcome : std::uint8_t { more, end, wrong };

  [[nodiscard]] outcome take(char c) noexcept;
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // Whether the byte that was taken belongs to an extension.
  [[nodiscard]] bool in_extension() const noexcept {
    return state_ > state::size && state_ < state::lf;
  }

 private:
  enum class state : std::uint8_t {
    begin,
    size,
    name_begin,
    name,
    value_begin,
    value,
    quoted,
    escaped,
    behind_quoted,
    lf
  };
  [[nodiscard]] outcome to(state next) noexcept;
  [[nodiscard]] outcome take_digit(char c) noexcept;
  [[nodiscard]] outcome take_end(char c) noexcept;
  [[nodiscard]] outcome take_token(char c, state within) noexcept;
  [[nodiscard]] outcome take_quoted(char c) noexcept;

  std::uint64_t size_ = 0;
  std::uint8_t digits_ = 0;
  state state_ = state::begin;
};

}  // namespace iolite::http

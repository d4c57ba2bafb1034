// See chunk_line.hpp.
#include "iolite/http/chunk_line.hpp"

#include "http/characters.hpp"

namespace iolite::http {
namespace {

constexpr unsigned digits_max = 16;
constexpr std::uint64_t size_max = std::uint64_t{0x7fffffffffffffff} >> 4;  // before another digit

int digit_of(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

chunk_line::outcome chunk_line::to(state next) noexcept {
  state_ = next;
  return outcome::more;
}

chunk_line::outcome chunk_line::take(char c) noexcept {
  switch (state_) {
  case state::begin: return take_digit(c);
  case state::size: return digit_of(c) >= 0 ? take_digit(c) : take_end(c);
  case state::name_begin: return is_token_character(c) ? to(state::name) : outcome::wrong;
  case state::name: return c == '=' ? to(state::value_begin) : take_token(c, state::name);
  case state::value_begin: return c == '"' ? to(state::quoted) : take_token(c, state::value);
  case state::value: return take_token(c, state::value);
  case state::quoted: return take_quoted(c);
  case state::escaped: return is_value({&c, 1}) ? to(state::quoted) : outcome::wrong;
  case state::behind_quoted: return take_end(c);
  case state::lf: return c == '\n' ? outcome::end : outcome::wrong;
  }
  return outcome::wrong;
}

// Before it is multiplied: 2^63 bytes are more than anybody sends.
chunk_line::outcome chunk_line::take_digit(char c) noexcept {
  const int digit = digit_of(c);
  if (digit < 0 || size_ > size_max || digits_++ >= digits_max) return outcome::wrong;
  size_ = size_ << 4 | static_cast<unsigned>(digit);
  return to(state::size);
}

chunk_line::outcome chunk_line::take_end(char c) noexcept {
  if (c == '\r') return to(state::lf);
  return c == ';' ? to(state::name_begin) : outcome::wrong;
}

// A value has at least one character: its first byte ends nothing.
chunk_line::outcome chunk_line::take_token(char c, state within) noexcept {
  if (is_token_character(c)) return to(within);
  return state_ == state::value_begin ? outcome::wrong : take_end(c);
}

chunk_line::outcome chunk_line::take_quoted(char c) noexcept {
  if (c == '"') return to(state::behind_quoted);
  if (c == '\\') return to(state::escaped);
  return is_value({&c, 1}) ? outcome::more : outcome::wrong;
}

}  // namespace iolite::http

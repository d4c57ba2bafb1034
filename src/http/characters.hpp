// Which bytes may be where (RFC 9110, 5.5 and 5.6).
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace iolite::http {

namespace detail {

enum : std::uint8_t { token_bit = 1, value_bit = 2, visible_bit = 4, host_bit = 8 };

constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
constexpr std::string_view host_marks = "-._~!$&'()*+;=%";  // of a name: RFC 3986, 3.2.2

constexpr auto character_kinds = [] {
  std::array<std::uint8_t, 256> kinds{};
  for (unsigned c = 0; c < kinds.size(); ++c) {
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const auto marks = [&](std::string_view all) {
      return c < 0x80 && all.find(static_cast<char>(c)) != all.npos;
    };
    unsigned kind = 0;
    if (letter || marks(token_marks)) kind |= token_bit;
    if (letter || marks(host_marks)) kind |= host_bit;
    if (c > ' ' && c < 0x7f) kind |= visible_bit;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) kind |= value_bit;
    kinds[c] = static_cast<std::uint8_t>(kind);
  }
  return kinds;
}();

constexpr bool all_are(std::string_view text, unsigned bit) noexcept {
  return std::ranges::all_of(
      text, [bit](char c) { return (character_kinds[static_cast<unsigned char>(c)] & bit) != 0; });
}

}  // namespace detail

constexpr bool is_token_character(char c) noexcept {
  return (detail::character_kinds[static_cast<unsigned char>(c)] & detail::token_bit) != 0;
}
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_token(std::string_view s) noexcept {
  return !s.empty() && detail::all_are(s, detail::token_bit);
}
// Without controls but the tab; bytes from 0x80 on are allowed, and mean nothing.
constexpr bool is_value(std::string_view s) noexcept {
  return detail::all_are(s, detail::value_bit);
}
constexpr bool is_visible(std::string_view s) noexcept {
  return !s.empty() && detail::all_are(s, detail::visible_bit);
}
constexpr bool is_number(std::string_view s) noexcept {
  return !s.empty() && std::ranges::all_of(s, is_digit);
}

// `HTTP/` and two digits with a dot between.
constexpr bool is_some_version(std::string_view v) noexcept {
  return v.size() == 8 && v.starts_with("HTTP/") && is_digit(v[5]) && v[6] == '.' && is_digit(v[7]);
}

// `host`, `host:port`, `[::1]:port`.
bool is_authority(std::string_view s) noexcept;

constexpr std::string_view without_space_around(std::string_view s) noexcept {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

struct list_member {
  std::string_view text;
  bool last;
};
// Takes the first member off a comma-separated list (RFC 9110, 5.6.1).
constexpr list_member take_member(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  const bool last = comma == list.npos;
  const list_member taken{without_space_around(list.substr(0, comma)), last};
  list.remove_prefix(last ? list.size() : comma + 1);
  return taken;
}

}  // namespace iolite::http

// See head.hpp: names, and lists of tokens.
#include "iolite/http/head.hpp"

#include "http/characters.hpp"

#include <charconv>
#include <cstdint>

namespace iolite::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool list_has(std::string_view list, std::string_view token) noexcept {
  for (;;) {
    const auto [member, last] = take_member(list);
    if (same_name(member, token)) return true;
    if (last) return false;
  }
}

// RFC 3986, 3.2.3: it may be empty.
bool is_port(std::string_view s) noexcept {
  std::uint16_t n = 0;
  return s.empty() ||
         (is_number(s) && std::from_chars(s.data(), s.data() + s.size(), n).ec == std::errc{});
}

// The characters of one, with an IPv4 address in its end: who connects to it reads the rest.
bool is_ipv6(std::string_view s) noexcept {
  return s.find(':') != s.npos && s.find_first_not_of("0123456789abcdefABCDEF:.") == s.npos;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string_view> field_list::find(std::string_view name) const noexcept {
  for (const field& f : all_) {
    if (same_name(f.name, name)) return f.value;
  }
  return std::nullopt;
}

std::size_t field_list::count(std::string_view name) const noexcept {
  const auto found =
      std::ranges::count_if(all_, [&](const field& f) { return same_name(f.name, name); });
  return static_cast<std::size_t>(found);
}

bool field_list::lists(std::string_view name, std::string_view token) const noexcept {
  return std::ranges::any_of(
      all_, [&](const field& f) { return same_name(f.name, name) && list_has(f.value, token); });
}

bool is_authority(std::string_view s) noexcept {
  const bool in_brackets = s.starts_with('[');
  const std::size_t bracket = s.find(']');
  if (in_brackets && bracket == s.npos) return false;
  const std::size_t end = in_brackets ? bracket + 1 : std::min(s.find(':'), s.size());
  const std::string_view host = s.substr(0, end), behind = s.substr(end);
  if (!behind.empty() && (behind.front() != ':' || !is_port(behind.substr(1)))) return false;
  if (in_brackets) return is_ipv6(host.substr(1, host.size() - 2));
  return !host.empty() && detail::all_are(host, detail::host_bit);
}

}  // namespace iolite::http

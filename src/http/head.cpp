// See head.hpp: names, and lists of tokens.
#include "iolite/http/head.hpp"

#include "http/characters.hpp"

namespace iolite::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool list_has(std::string_view list, std::string_view token) noexcept {
  for (;;) {
    const std::size_t comma = list.find(',');
    if (same_name(without_space_around(list.substr(0, comma)), token)) return true;
    if (comma == list.npos) return false;
    list.remove_prefix(comma + 1);
  }
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

// Digits behind the last colon, unless that lies within the brackets of an IPv6 address.
bool is_authority(std::string_view s) noexcept {
  const std::size_t bracket = s.rfind(']'), colon = s.rfind(':');
  const bool has_port = colon != s.npos && (bracket == s.npos || colon > bracket);
  const std::string_view host = s.substr(0, has_port ? colon : s.npos);
  if (host.empty() || !detail::all_are(host, detail::host_bit)) return false;
  if (has_port && colon + 1 < s.size() && !is_number(s.substr(colon + 1))) return false;
  if (bracket != s.npos) return host.front() == '[' && host.back() == ']' && host.rfind('[') == 0;
  return host.find_first_of("[:") == host.npos;
}

}  // namespace iolite::http

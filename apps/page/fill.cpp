#include "page/fill.hpp"

#include <nlohmann/json.hpp>

namespace iolite::app {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view mark = "@IOLITE_DATA@";

// HTML looks for tags in the text of a script: "<" is written so that only JSON knows it. Bytes
// that are no UTF-8 are replaced: names come from other programs.
std::string json_in_html(const ordered_json& data) {
  const std::string json = data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<') out += "\\u003c";
    else out += c;
  }
  return out;
}

}  // namespace

std::string filled_page(std::string_view page, const ordered_json& data) {
  const std::size_t at = page.find(mark);
  std::string out(page.substr(0, at));
  if (at == std::string_view::npos) return out;
  out += json_in_html(data);
  return out += page.substr(at + mark.size());
}

}  // namespace iolite::app

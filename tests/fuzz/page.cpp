// The page of --report: whatever strings a server or a machine has, they stay data.
#include "apps/page/fill.hpp"
#include "fuzz.hpp"

#include <nlohmann/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string hostile(fuzz::text_of(data, size));
  const std::string begin = "<script type=\"application/json\">", end = "</script><p>$& and @";
  const nlohmann::ordered_json value = {{"name", hostile}, {hostile, {hostile}}};
  const std::string page = iolite::app::filled_page(begin + "@IOLITE_DATA@" + end, value);
  fuzz::require(page.starts_with(begin) && page.ends_with(end), "the page is whole:", page);
  const std::string json = page.substr(begin.size(), page.size() - begin.size() - end.size());
  fuzz::require(json.find('<') == std::string::npos, "nothing in the data is a tag:", json);
  const auto read = nlohmann::ordered_json::parse(json, nullptr, false);
  fuzz::require(!read.is_discarded(), "the data is JSON:", json);
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  const std::string meant = value.dump(-1, ' ', false, replace);
  fuzz::require(read == nlohmann::ordered_json::parse(meant), "it is the same data:", json);
  return 0;
}

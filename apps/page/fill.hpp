// How the data gets into the page.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace iolite::app {

// `page` with `data` in place of its mark, @IOLITE_DATA@, which is the text of a script element of
// type application/json. Whatever strings `data` holds, none of them ends that element or begins
// another.
[[nodiscard]] std::string filled_page(std::string_view page, const nlohmann::ordered_json& data);

}  // namespace iolite::app

// The page without its data. Empty where the command was built without it: web/CMakeLists.txt.
#pragma once
#include <string_view>

namespace iolite::app {

[[nodiscard]] std::string_view page_template() noexcept;

}  // namespace iolite::app

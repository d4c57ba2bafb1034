// The version of the library these headers belong to.
#pragma once
#include <string_view>

namespace iolite {

inline constexpr std::string_view version = "0.1.0";

}  // namespace iolite

// How times are told to a person.
#pragma once
#include "iolite/clock.hpp"

#include <string>

namespace iolite::simulate {

// 2.000114 s
[[nodiscard]] std::string seconds_text(clock::duration d);

}  // namespace iolite::simulate

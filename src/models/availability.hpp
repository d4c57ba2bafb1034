// Whether an engine works here, and if not, why and what to do about it.
#pragma once
#include "engines/made_engine.hpp"
#include "iolite/models.hpp"
#include "kernel/kernel.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace iolite {

// Sends bytes through a socket pair on the engine, if it could be made: some kernels and containers
// have a facility that does not work.
[[nodiscard]] availability test_engine(kernel& os, std::string_view name, const made_engine& made);
// Whether an errno says that descriptors, memory or watches are short. That passes, and another
// engine would meet it as well: nothing falls back because of it.
[[nodiscard]] bool is_shortage(int error) noexcept;
// One line for -errno from making engine `name`: the likely cause, and what to do.
[[nodiscard]] std::string explain(kernel& os, std::string_view name, int error);
// Optional kernel features that the engine uses here.
[[nodiscard]] std::vector<std::string> features_of(kernel& os, std::string_view name);

}  // namespace iolite

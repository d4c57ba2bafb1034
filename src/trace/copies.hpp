// What the copy of a message costs that is there already, and whose processor time that is.
#pragma once
#include "iolite/trace.hpp"
#include "trace/recorder.hpp"

namespace iolite::trace {

// On an engine and a connection of its own, so that the window of TCP has room for the message.
[[nodiscard]] copy_cost measure_copy(kernel& os, kernel& traced_os, recorder& seen,
                                     const std::string& engine, std::size_t bytes, unsigned rounds);

}  // namespace iolite::trace

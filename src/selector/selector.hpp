// The selector on a kernel of the caller's: for tests with a faulty one. See <iolite/selector.h>.
#pragma once
#include "iolite/selector.h"
#include "kernel/kernel.hpp"

namespace iolite {

// As iolite_selector_open(). The kernel outlives the selector.
int open_selector_on(kernel& os, const char* facility, iolite_selector** out) noexcept;

}  // namespace iolite

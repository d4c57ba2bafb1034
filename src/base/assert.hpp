// Assertions stay on in release: each is a comparison beside a system call.
#pragma once
#include "iolite/core/rule_broken.hpp"

// The rule in words; it is printed when the program breaks it.
#define IOLITE_ASSERT(condition, rule)                                                             \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::iolite::detail::rule_broken(rule))

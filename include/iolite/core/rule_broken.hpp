// What happens to a program that breaks a rule of the library.
#pragma once

namespace iolite::detail {

// Says which rule on standard error, and stops the program: abort(3). In release builds, too.
[[noreturn]] void rule_broken(const char* rule) noexcept;

}  // namespace iolite::detail

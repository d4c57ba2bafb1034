// What the mains of the library share: serve_main() and run().
#pragma once
#include <cstdio>
#include <string>
#include <string_view>

namespace iolite {

// Prints `line` and a newline. A reader that is gone is no reason to end: no SIGPIPE.
void print_line(std::FILE* to, const std::string& line);
// Prints `iolite: WHAT` as one line on standard error.
void say_on_standard_error(std::string_view what);

}  // namespace iolite

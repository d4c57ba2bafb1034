// An echo server, line by line, that counts what a line costs: for the programs that show one
// engine each. The handler is the same for all of them.
#pragma once
#include <string>
#include <string_view>

namespace tutorial {

// A program's main. It says `phases` once it listens; after every so many lines, and at the end, it
// says which calls the library has made for each of them and how many threads there are.
[[nodiscard]] int serve_counted_echo(const std::string& engine, const std::string& listen,
                                     int every, std::string_view phases);

}  // namespace tutorial

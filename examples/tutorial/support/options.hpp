// What a program of the tutorial takes on its command line.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace tutorial {

struct option {
  const char* name;  // "--model"
  std::variant<std::string*, int*, bool*> value;  // holds the default; a bool is a flag
  const char* about;
};

// Fills in what the command line says. Wrong usage: one line, then exit(2); --help: exit(0).
void parse(int argc, char** argv, std::string_view about, std::initializer_list<option> options);

// Says why in one line on standard error, then exit(1).
[[noreturn]] void fail(std::string_view why);

}  // namespace tutorial

// See main.hpp and iolite/run.hpp.
#include "serve/main.hpp"

#include "core/pipe_signal.hpp"
#include "iolite/one_line.hpp"
#include "iolite/run.hpp"

#include <cstdio>
#include <exception>

namespace iolite {

void print_line(std::FILE* to, const std::string& line) {
  pipe_signal_held held(kernel::real());
  std::fputs((line + "\n").c_str(), to);  // tidy: allow output, this is the program's main
  std::fflush(to);
  held.take_back();
}

void say_on_standard_error(std::string_view what) {
  print_line(stderr, "iolite: " + one_line(what));
}

int detail::report(std::string_view what) noexcept {
  try {
    say_on_standard_error(what);
  } catch (const std::exception&) {  // no memory for a line
    std::fputs("iolite: no memory\n", stderr);  // tidy: allow output, this is the program's main
  }
  return 1;
}

int detail::report(const std::error_code& code) noexcept {
  try {
    return report(code.message());
  } catch (const std::exception&) {
    return report("no memory");
  }
}

int detail::report_exception() noexcept {
  try {
    throw;
  } catch (const std::exception& e) {
    return report(e.what());
  } catch (...) {
    return report("an exception that is no std::exception");
  }
}

}  // namespace iolite

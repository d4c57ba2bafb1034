// See options.hpp.
#include "support/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fmt/core.h>

namespace tutorial {

// NOLINTBEGIN(concurrency-mt-unsafe): std::exit, while there is only this thread
void parse(int argc, char** argv, std::string_view about, std::initializer_list<option> options) {
  CLI::App app{std::string(about)};
  for (const option& o : options) {
    if (auto* const* text = std::get_if<std::string*>(&o.value)) {
      app.add_option(o.name, **text, o.about)->capture_default_str();
    } else if (auto* const* number = std::get_if<int*>(&o.value)) {
      app.add_option(o.name, **number, o.about)->capture_default_str();
    } else {
      app.add_flag(o.name, *std::get<bool*>(o.value), o.about);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    std::exit(app.exit(help));
  } catch (const CLI::ParseError& wrong) {
    fmt::print(stderr, "{}: {}; --help shows what there is\n", argv[0], wrong.what());
    std::exit(2);
  }
}

void fail(std::string_view why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

// NOLINTEND(concurrency-mt-unsafe)

}  // namespace tutorial

// iolite: every way a Unix program can do I/O, under one handler.
#include "commands.hpp"
#include "output.hpp"

#include "iolite/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <exception>
#include <optional>
#include <sstream>

namespace iolite::app {

namespace {

// What was being parsed when it went wrong: its --help is the one that helps.
std::string command_line_so_far(const CLI::App& app) {
  const auto asked = app.get_subcommands();
  return asked.empty() ? "iolite" : "iolite " + asked.front()->get_name();
}

// Gives the exit status, or nothing when there is something to run.
std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream out;
    app.exit(asked, out, out);
    return print(out.str()) ? status_done : status_failed;
  } catch (const CLI::ParseError& e) {
    return wrong_usage(fmt::format("{} (see {} --help)", e.what(), command_line_so_far(app)));
  }
}

int run(int argc, char** argv) {
  CLI::App app("iolite: one handler, every I/O model");
  app.name("iolite");
  app.set_version_flag("--version", fmt::format("iolite {}", version));
  app.require_subcommand(1);
  app.footer(
      "Example:\n  iolite serve echo &\n  echo hello | iolite connect :7000\n"
      "  iolite compare\n\nEvery command has --help. IOLITE_MODEL sets what --model auto means.");
  action chosen;
  add_models(app, chosen);
  add_doctor(app, chosen);
  add_serve(app, chosen);
  add_connect(app, chosen);
  add_bench(app, chosen);
  add_compare(app, chosen);
  add_simulate(app, chosen);
  if (const auto status = parse(app, argc, argv)) return *status;
  return chosen();
}

}  // namespace

}  // namespace iolite::app

int main(int argc, char** argv) {
  iolite::app::prepare_standard_streams();
  try {
    return iolite::app::run(argc, argv);
  } catch (const std::exception& e) {
    return iolite::app::failed(e.what());
  }
}

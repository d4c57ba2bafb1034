// iolite: every way a Unix program can do I/O, under one handler.
#include "commands/commands.hpp"
#include "terminal/output.hpp"

#include "iolite/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>
#include <string_view>

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

// Takes a command of the user's off the arguments of `bench`.
std::vector<std::string> split_command(int& argc, char** argv) {
  if (argc < 2 || std::string_view(argv[1]) != "bench") return {};
  char** const end = argv + argc;
  char** const dashes = std::find(argv, end, std::string_view("--"));
  if (dashes == end) return {};
  argc = static_cast<int>(dashes - argv);
  return {dashes + 1, end};
}

int run(int argc, char** argv) {
  const std::vector<std::string> after_dashes = split_command(argc, argv);
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
  add_bench(app, chosen, after_dashes);
  add_compare(app, chosen);
  add_trace(app, chosen);
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

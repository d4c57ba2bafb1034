// iolite doctor: what this machine allows, what `auto` takes, how to mend what is missing.
#include "commands/commands.hpp"
#include "measure/machine.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"
#include "terminal/table.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace iolite::app {

namespace {

std::string as_text(const std::vector<finding>& all) {
  table t({{""}, {"WHAT"}, {"FOUND"}});
  for (const finding& f : all) t.add({word_for(f.state), f.what, f.value});
  std::string remedies;
  for (const finding& f : all)
    if (!f.remedy.empty()) remedies += "  " + f.what + ": " + f.remedy + "\n";
  return t.text() +
         (remedies.empty() ? "\nNothing needs mending.\n" : "\nWhat can be mended:\n" + remedies);
}

int run_doctor(const std::string& json_target) {
  const std::vector<finding> all = examine_machine();
  if (json_target != "-" && !print(as_text(all))) return status_failed;
  return json_target.empty() ? status_done : write_json(json_target, findings_as_json(all));
}

}  // namespace

void add_doctor(CLI::App& app, action& chosen) {
  auto json_target = std::make_shared<std::string>();
  CLI::App& c = *app.add_subcommand("doctor", "what this machine allows, and how to mend the rest");
  add_json(c, *json_target);
  c.footer("Examples:\n  iolite doctor\n  iolite doctor --json report.json");
  c.callback(
      [json_target, &chosen] { chosen = [json_target] { return run_doctor(*json_target); }; });
}

}  // namespace iolite::app

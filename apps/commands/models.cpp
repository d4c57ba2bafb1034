// iolite models: every model, and whether this machine allows it.
#include "commands/commands.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"
#include "terminal/table.hpp"

#include "iolite/models.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace iolite::app {

namespace {

nlohmann::ordered_json as_json(const std::vector<model_info>& all) {
  auto out = nlohmann::ordered_json::array();
  for (const model_info& m : all)
    out.push_back({{"model", m.model},
                   {"engine", m.engine},
                   {"placement", name_of(m.placement)},
                   {"shape", m.shape},
                   {"available", m.available},
                   {"reason", m.reason},
                   {"features", m.features}});
  return out;
}

std::string as_table(const std::vector<model_info>& all) {
  table t({{"MODEL"}, {"SHAPE"}, {"AVAILABLE"}, {"FEATURES, OR WHY NOT"}});
  for (const model_info& m : all)
    t.add({m.model, m.shape, m.available ? "yes" : "no",
           m.available ? fmt::format("{}", fmt::join(m.features, " ")) : m.reason});
  return t.text();
}

int run_models(const std::string& json_target) {
  const std::vector<model_info> all = models();
  if (json_target != "-" && !print(as_table(all))) return status_failed;
  return json_target.empty() ? status_done : write_json(json_target, as_json(all));
}

}  // namespace

void add_models(CLI::App& app, action& chosen) {
  auto json_target = std::make_shared<std::string>();
  CLI::App& c = *app.add_subcommand("models", "list every I/O model and whether it works here");
  add_json(c, *json_target);
  c.footer("Examples:\n  iolite models\n  iolite models --json - | jq '.[] | select(.available)'");
  c.callback(
      [json_target, &chosen] { chosen = [json_target] { return run_models(*json_target); }; });
}

}  // namespace iolite::app

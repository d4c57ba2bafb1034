// The subcommands of `iolite`. Each add_ function declares one: its options, its help with an
// example, and what runs when it was the one asked for.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace iolite::app {

// What the command line asked for; gives the exit status: 0 done, 1 it failed, 2 wrong usage.
using action = std::function<int()>;

void add_models(CLI::App& app, action& chosen);
void add_doctor(CLI::App& app, action& chosen);
void add_serve(CLI::App& app, action& chosen);
void add_connect(CLI::App& app, action& chosen);
// `after_dashes`: what follows `--` on the command line.
void add_bench(CLI::App& app, action& chosen, const std::vector<std::string>& after_dashes);
void add_compare(CLI::App& app, action& chosen);
void add_trace(CLI::App& app, action& chosen);
void add_simulate(CLI::App& app, action& chosen);

}  // namespace iolite::app

// iolite trace --sizes: what phase 2 costs, and whose processor time it is.
#include "terminal/options.hpp"
#include "terminal/table.hpp"
#include "trace/trace.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace iolite::app {

namespace {

double in_us(clock::duration t) { return std::chrono::duration<double, std::micro>(t).count(); }

// Short, so that the table has 80 columns.
std::string cost_text(const trace::copy_cost& c) {
  if (!c.failure.empty()) return "-";
  const double own = in_us(c.own), others = in_us(c.others);
  if (own >= 99.95 || others >= 99.95) return fmt::format("{:.0f}/{:.0f}", own, others);
  return fmt::format("{:.1f}/{:.1f}", own, others);
}

}  // namespace

std::string sizes_text(const std::vector<trace::copy_cost>& all, const text_style& style) {
  std::vector<std::string> engines;
  std::vector<std::size_t> sizes;
  for (const trace::copy_cost& c : all) {
    if (std::ranges::find(engines, c.engine) == engines.end()) engines.push_back(c.engine);
    if (std::ranges::find(sizes, c.bytes) == sizes.end()) sizes.push_back(c.bytes);
  }
  std::vector<column> columns = {{"MODEL"}};
  for (const std::size_t n : sizes) columns.push_back({size_text(n), align::right});
  table t(columns);
  for (const std::string& engine : engines) {
    std::vector<std::string> cells = {engine};
    for (const trace::copy_cost& c : all)
      if (c.engine == engine) cells.push_back(cost_text(c));
    t.add(cells);
  }
  std::string text =
      fmt::format("What it costs to receive a message that is there already: processor time in {}\n"
                  "of the thread that asks / of helper threads and the kernel's workers.\n\n",
                  style.ascii ? "us" : "µs");
  text += t.text();
  if (std::ranges::any_of(all, [](const trace::copy_cost& c) { return !c.failure.empty(); }))
    text += "\n- the socket does not take so much at once: net.core.rmem_max, net.core.wmem_max\n";
  return text;
}

nlohmann::ordered_json sizes_json(const std::vector<trace::copy_cost>& all) {
  auto rows = nlohmann::ordered_json::array();
  for (const trace::copy_cost& c : all) {
    nlohmann::ordered_json row{{"model", c.engine}, {"size", c.bytes}};
    const bool good = c.failure.empty();
    row["own_cpu_us"] = good ? nlohmann::ordered_json(in_us(c.own)) : nullptr;
    row["others_cpu_us"] = good ? nlohmann::ordered_json(in_us(c.others)) : nullptr;
    row["reason"] = c.failure;
    rows.push_back(row);
  }
  return {{"sizes", rows}};
}

}  // namespace iolite::app

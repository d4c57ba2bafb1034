// iolite compare --baseline: what is different from a saved run, beyond noise.
#include "commands/compare.hpp"
#include "terminal/output.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>

namespace iolite::app {

namespace {

using nlohmann::json;

std::expected<json, std::string> read_rows(const std::string& file) {
  std::ifstream in(file);
  if (!in) return std::unexpected(fmt::format("cannot read {}: {}", file, error_text(errno)));
  json rows = json::parse(in, nullptr, false);
  if (!rows.is_array())
    return std::unexpected(fmt::format("{} is no result of iolite compare --json {}", file, file));
  return rows;
}

// Of a row that another run has written; nothing where it has no interval.
std::optional<interval> interval_of(const json& row) {
  const auto found = row.find("cpu_us_interval");
  if (found == row.end() || !found->is_array() || found->size() != 3) return std::nullopt;
  if (!std::ranges::all_of(*found, [](const json& v) { return v.is_number(); }))
    return std::nullopt;
  return interval{(*found)[0].get<double>(), (*found)[1].get<double>(), (*found)[2].get<double>(),
                  true};
}

bool has(const json& row, const char* key, const std::string& text) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() && found->get<std::string>() == text;
}

bool is_of(const json& row, const compare_row& now, const workload& w) {
  return row.is_object() && has(row, "model", now.model.model) && has(row, "workload", w.name);
}

std::string range_text(const interval& i) {
  return fmt::format("{:.2f} us ({:.2f}..{:.2f})", i.middle, i.least, i.most);
}

}  // namespace

std::expected<std::vector<change>, std::string>
changes_since(const std::string& file, const std::vector<compare_row>& rows, const workload& w) {
  const auto saved = read_rows(file);
  if (!saved) return std::unexpected(saved.error());
  std::vector<change> all;
  for (const compare_row& now : rows) {
    if (!now.good()) continue;
    const auto before =
        std::ranges::find_if(*saved, [&](const json& row) { return is_of(row, now, w); });
    if (before == saved->end()) continue;
    const auto cpu = interval_of(*before);
    if (cpu) all.push_back({now.model.model, *cpu, now.cpu()});
  }
  if (all.empty())
    return std::unexpected(
        fmt::format("{} has no rounds of these models under {} to compare with", file, w.name));
  return all;
}

std::string changes_as_text(const std::vector<change>& all, const std::string& file) {
  std::string text;
  for (const change& c : all) {
    if (!c.worse() && !c.better()) continue;
    const double percent = 100 * (c.now.middle - c.before.middle) / c.before.middle;
    text += fmt::format("{}: {:.0f} % {} CPU for each request: {}, was {}\n", c.model,
                        std::abs(percent), c.worse() ? "more" : "less", range_text(c.now),
                        range_text(c.before));
  }
  if (text.empty()) return fmt::format("No change since {} beyond noise.\n", file);
  return fmt::format("Changed since {}, beyond noise:\n", file) + text;
}

}  // namespace iolite::app

// The rows of `iolite compare`: how they are measured, and how they are shown.
#pragma once
#include "measure/measure.hpp"
#include "measure/statistics.hpp"

#include "iolite/models.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace iolite::app {

struct workload {
  std::string name;
  std::string what;
  unsigned connections = 64;
  std::size_t message_bytes = 64;
  unsigned depth = 1;
  std::uint64_t churn = 0;  // see load_options
  unsigned idle = 0;  // connections more that send nothing
  bool slow = false;  // every fourth client sends its messages in pieces

  // Those of the command, and another name that finds it.
  [[nodiscard]] static const std::vector<workload>& all();
  [[nodiscard]] static const workload* find(const std::string& name);
  // "64 connections, 64 B, depth 1"
  [[nodiscard]] std::string size_text() const;
};

// One run of one model.
struct round {
  load_result load;
  server_figures server;
};

// What is shown of a model: its round of median CPU per request.
struct compare_row {
  model_info model;
  std::vector<round> rounds = {};
  std::uint64_t errors = 0;  // over all rounds
  std::string failure = {};  // the first; empty without

  [[nodiscard]] const round* median() const;
  // Of the server's CPU per request, in microseconds.
  [[nodiscard]] interval cpu() const;
  // Measured, and without a failure.
  [[nodiscard]] bool good() const { return !rounds.empty() && failure.empty(); }
};

// How the table is shown.
struct table_style {
  bool wide = false;    // all columns; else 80 characters
  bool pinned = false;  // the server had a core of its own
};

[[nodiscard]] std::string rows_as_text(const std::vector<compare_row>& rows, const workload& w,
                                       table_style style);
// Which model to take for this workload, why, and what the next one costs: in figures.
[[nodiscard]] std::string recommendation(const std::vector<compare_row>& rows, const workload& w);
[[nodiscard]] nlohmann::ordered_json rows_as_json(const std::vector<compare_row>& rows,
                                                  const workload& w);

// What a saved run says of the same model and workload.
struct change {
  std::string model;
  interval before;
  interval now;

  [[nodiscard]] bool worse() const { return before.below(now); }
  [[nodiscard]] bool better() const { return now.below(before); }
};
// The error: it cannot be read, or has nothing to compare with.
[[nodiscard]] std::expected<std::vector<change>, std::string>
changes_since(const std::string& file, const std::vector<compare_row>& rows, const workload& w);
[[nodiscard]] std::string changes_as_text(const std::vector<change>& all, const std::string& file);

}  // namespace iolite::app

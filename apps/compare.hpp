// The rows of `iolite compare`: how they are measured, and how they are shown.
#pragma once
#include "measure.hpp"

#include "iolite/models.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iolite::app {

struct workload {
  std::string name;
  std::string what;
  unsigned connections;
  std::size_t message_bytes;
  unsigned depth;
  bool reconnect;
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
  // Half the distance of the extremes of CPU per request, in per cent of the median.
  [[nodiscard]] double spread_percent() const;
};

[[nodiscard]] std::string rows_as_text(const std::vector<compare_row>& rows, const workload& w,
                                       bool pinned);
[[nodiscard]] nlohmann::ordered_json rows_as_json(const std::vector<compare_row>& rows,
                                                  const workload& w);

}  // namespace iolite::app

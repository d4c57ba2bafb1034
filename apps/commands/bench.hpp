// What `iolite bench` was asked for, and what it reports.
#pragma once
#include "load/objective.hpp"
#include "measure/measure.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace iolite::app {

struct bench_arguments {
  std::string address;  // or http://HOST[:PORT][/PATH]
  load_options load;
  std::optional<double> active;  // the share of connections that send
  std::optional<objective> slo;
  bool duration_given = false;
  bool sizes_given = false;
  bool poisson = false;
  std::uint64_t pid = 0;  // of the server; 0: not known
  std::vector<std::string> command;  // that starts the server; empty: it runs already
  std::string json_target;
  std::string hdr_target;
  std::string report_target;
};

// One try of a search for the highest rate.
struct trial {
  double rate = 0;
  bool met = false;
  load_result result;
};

struct bench_result {
  double started = 0;  // seconds of the Unix epoch
  load_result load;  // with an objective: of the best trial
  std::optional<account> server;  // over the same time
  std::string no_account;  // why not, though it was asked for
  std::vector<trial> trials;
  double found = 0;  // with an objective: the highest rate that meets it
  double missed = 0;  // the lowest that does not; 0: none was tried
};

[[nodiscard]] std::string bench_as_text(const bench_arguments& a, const bench_result& r);
[[nodiscard]] nlohmann::ordered_json bench_as_json(const bench_arguments& a, const bench_result& r);
// "12 requests/s, p50 0.10 p99 0.95 ms, 0 errors, 4 s left"
[[nodiscard]] std::string live_text(const live_figures& f);

}  // namespace iolite::app

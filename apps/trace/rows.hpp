// What `iolite trace` shows of a model: medians over its rounds, and what they mean in words.
#pragma once
#include "iolite/trace.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace iolite::app {

// Medians, in microseconds after the data arrived. Absent: it could not be observed.
struct trace_row {
  std::string model;
  bool available = true;
  std::string reason;  // why not, or why it has fewer rounds than the others
  std::size_t rounds = 0;  // 0: there are no figures
  std::size_t disturbed = 0;  // of them: other processes had the processor
  bool only_undisturbed = true;  // those are left out; else there are too few others
  std::string asleep_in;  // empty: it did not sleep, or that was not seen
  std::string asks_by;  // the call that it makes again and again; empty: it does not
  bool one_call = false;
  trace::copier copied_by = trace::copier::self;
  double waited = 0, uncertainty = 0;
  std::optional<double> woke, t2, t3, t4, t4_p10, t4_p90, cpu_phase1, calls_phase1, calls_phase2;
  std::optional<double> helper_woke, helper_done;
  std::optional<double> slept_again, woke_again;  // while a helper copies
  std::optional<unsigned> others_run;
  unsigned others_due = 0;
  std::optional<trace::exchange> typical;  // the round of median t4
};

struct trace_run {
  std::size_t bytes = 0;
  clock::duration delay{};
  unsigned rounds = 0;
  bool over_unix = false, exact = false, sees_switches = false;
  std::vector<trace_row> rows;
  std::vector<std::string> missing;  // what could not be observed, and what would make it visible
};

[[nodiscard]] trace_row row_of(const trace::subject& s);

// "epoll: slept in epoll_wait, woke after 76 us, ..."
[[nodiscard]] std::string sentence_of(const trace_row& r);
[[nodiscard]] nlohmann::ordered_json as_json(const trace_run& run);

// 76 us, 10.1 ms.
[[nodiscard]] std::string time_text(double us, std::string_view micro = "us");

}  // namespace iolite::app

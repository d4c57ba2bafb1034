// What `iolite trace --json` writes, and what the report draws.
#include "trace/lanes.hpp"
#include "trace/rows.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace iolite::app {

namespace {

using nlohmann::ordered_json;
using trace::copier;

double in_us(clock::duration t) { return std::chrono::duration<double, std::micro>(t).count(); }

ordered_json or_null(const std::optional<double>& v) {
  if (!v) return nullptr;
  return std::round(*v * 1000) / 1000;
}

ordered_json or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return text;
}

const char* name_of_copier(copier c) {
  switch (c) {
  case copier::self: return "self";
  case copier::helper: return "helper";
  case copier::kernel: return "kernel";
  }
  return "";
}

const char* name_of_stretch(stretch s) {
  switch (s) {
  case stretch::alone: return "alone";
  case stretch::free: return "free";
  case stretch::asking: return "asking";
  case stretch::waking: return "waking";
  case stretch::copying: return "copying";
  case stretch::both: return "both";
  case stretch::unknown: return "unknown";
  }
  return "";
}

// What the figure draws: see lanes.hpp for what each stretch means.
ordered_json stretches_of(const trace_row& r) {
  const std::vector<trace_row> only = {r};  // a lane refers to its row
  auto out = ordered_json::array();
  for (const lane& l : lanes_of(only))
    for (const part& p : l.parts)
      out.push_back({{"lane", l.helper ? "helper" : "own"},
                     {"what", name_of_stretch(p.what)},
                     {"from_us", or_null(p.from)},
                     {"to_us", or_null(p.to)}});
  return out;
}

ordered_json as_json(const trace_row& r) {
  ordered_json j{{"model", r.model}, {"available", r.available}, {"reason", r.reason}};
  j["asleep_in"] = or_null(r.asleep_in);
  j["woke_us"] = or_null(r.woke);
  j["t2_us"] = or_null(r.t2);
  j["t3_us"] = or_null(r.t3);
  j["t4_us"] = or_null(r.t4);
  j["t4_p10_us"] = or_null(r.t4_p10);
  j["t4_p90_us"] = or_null(r.t4_p90);
  j["cpu_phase1_us"] = or_null(r.cpu_phase1);
  j["calls_phase1"] = or_null(r.calls_phase1);
  j["calls_phase2"] = or_null(r.calls_phase2);
  j["copied_by"] = r.rounds > 0 ? ordered_json(name_of_copier(r.copied_by)) : nullptr;
  j["other_tasks_run"] = r.others_run ? ordered_json(*r.others_run) : nullptr;
  j["other_tasks_due"] = r.others_due;
  j["rounds"] = r.rounds;
  j["disturbed"] = r.disturbed;
  j["asks_by"] = or_null(r.asks_by);
  j["waits"] = r.rounds > 0 ? ordered_json(name_of_stretch(waiting_of(r))) : nullptr;
  j["waited_us"] = or_null(r.waited);
  j["stretches"] = stretches_of(r);
  j["sentence"] = sentence_of(r);
  return j;
}

}  // namespace

nlohmann::ordered_json as_json(const trace_run& run) {
  nlohmann::ordered_json j{
      {"size", run.bytes},          {"delay_us", std::round(in_us(run.delay))},
      {"rounds", run.rounds},       {"exact", run.exact},
      {"over_unix", run.over_unix}, {"missing", run.missing},
  };
  j["models"] = nlohmann::ordered_json::array();
  for (const trace_row& r : run.rows) j["models"].push_back(as_json(r));
  return j;
}

}  // namespace iolite::app

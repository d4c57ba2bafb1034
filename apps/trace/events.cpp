// The typical round of each model in the format of chrome://tracing: one process a model, one
// track a thread; times in microseconds from the call on.
#include "trace/trace.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace iolite::app {

namespace {

using json = nlohmann::ordered_json;

constexpr int thread_track = 1, helper_track = 2, peer_track = 3;

class model_events {
 public:
  model_events(json& to, int number, const trace_row& r, const trace::exchange& typical)
      : to_(to), number_(number), r_(r), typical_(typical) {}

  void write() {
    const trace::exchange& x = typical_;
    zero_ = x.waited;
    name_process();
    name_track(thread_track, "waits");
    name_track(peer_track, "peer");
    slice(thread_track, "recv", -x.waited, x.t4, "operation");
    for (const trace::made_call& c : x.calls)
      slice(thread_track, std::string(c.name), c.begin, c.end, "system call",
            {{"result", c.result}});
    for (const trace::rest& p : x.rests) write(p);
    if (x.helper_woke) {
      name_track(helper_track, "helper");
      slice(helper_track, "copies", *x.helper_woke, x.helper_done.value_or(x.t4), "operation");
    }
    arrival();
  }

 private:
  // The format has three decimals.
  [[nodiscard]] static double us(clock::duration t) {
    return static_cast<double>(t.count()) / 1000;
  }
  json event(const char* phase, int track, const std::string& name) const {
    return {{"name", name}, {"ph", phase}, {"pid", number_}, {"tid", track}};
  }
  void name_process() {
    json e = event("M", 0, "process_name");
    e["args"] = {{"name", r_.model}};
    to_.push_back(e);
  }
  void name_track(int track, const char* name) {
    json e = event("M", track, "thread_name");
    e["args"] = {{"name", name}};
    to_.push_back(e);
  }
  void slice(int track, const std::string& name, clock::duration from, clock::duration to,
             const char* category, json args = json::object()) {
    json e = event("X", track, name);
    e["cat"] = category;
    e["ts"] = us(zero_ + from);
    e["dur"] = us(std::max(to - from, clock::duration::zero()));
    e["args"] = std::move(args);
    to_.push_back(e);
  }
  void write(const trace::rest& p) {
    if (p.of == trace::rest::whose::helper) return;
    slice(thread_track, p.preempted ? "preempted" : "asleep", p.begin, p.end, "scheduler");
  }
  // An arrow from the peer to the thread that learns of it.
  void arrival() {
    slice(peer_track, "data arrives", clock::duration::zero(), typical_.uncertainty, "network");
    json begin = event("s", peer_track, "arrival"), end = event("f", thread_track, "arrival");
    begin["cat"] = end["cat"] = "network";
    begin["id"] = end["id"] = number_;
    begin["ts"] = us(zero_);
    end["ts"] = us(zero_ + typical_.t2);
    end["bp"] = "e";
    to_.push_back(begin);
    to_.push_back(end);
  }

  json& to_;
  const int number_;
  const trace_row& r_;
  const trace::exchange& typical_;
  clock::duration zero_{};
};

}  // namespace

json chrome_events(const trace_run& run) {
  auto events = json::array();
  int number = 0;
  for (const trace_row& r : run.rows)
    if (r.typical) model_events(events, ++number, r, *r.typical).write();
  return {{"displayTimeUnit", "ns"}, {"traceEvents", events}};
}

}  // namespace iolite::app

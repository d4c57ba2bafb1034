#include "measure/report.hpp"

#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <unistd.h>

namespace iolite::app {

namespace {

using nlohmann::json;

void write_line(int fd, const json& value) {
  const std::string line = value.dump() + "\n";
  // Below PIPE_BUF: whole or not at all. See pipe(7).
  [[maybe_unused]] const ssize_t n = ::write(fd, line.data(), line.size());
}

double microseconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
}

usage used_so_far() {
  usage sum;
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage r = {};
    if (::getrusage(who, &r) != 0) continue;
    sum.user_us += microseconds(r.ru_utime);
    sum.system_us += microseconds(r.ru_stime);
    sum.context_switches += static_cast<std::uint64_t>(r.ru_nvcsw + r.ru_nivcsw);
  }
  return sum;
}

json calls_as_json() {
  json calls = json::object();
  for (const auto& [name, count] : system_calls()) calls[std::string(name)] = count;
  return calls;
}

json parse_line(const std::string& line) { return json::parse(line, nullptr, false); }

}  // namespace

void report_ready(int fd, const model_choice& choice, const std::vector<endpoint>& at) {
  const usage used = used_so_far();
  write_line(fd, {{"address", at.empty() ? std::string() : at.front().to_string()},
                  {"model", choice.model},
                  {"user_us", used.user_us},
                  {"system_us", used.system_us},
                  {"context_switches", used.context_switches},
                  {"calls", calls_as_json()}});
}

void report_drained(int fd) { write_line(fd, {{"drained", true}, {"calls", calls_as_json()}}); }

std::optional<ready_report> read_ready(const std::string& line) {
  const json v = parse_line(line);
  if (!v.is_object() || !v.contains("address")) return std::nullopt;
  ready_report r;
  r.address = v.value("address", "");
  r.model = v.value("model", "");
  r.used = {v.value("user_us", 0.0), v.value("system_us", 0.0),
            v.value("context_switches", std::uint64_t{0})};
  r.calls = v.value("calls", call_counts());
  return r;
}

std::optional<call_counts> read_drained(const std::string& line) {
  const json v = parse_line(line);
  if (!v.is_object() || !v.contains("drained")) return std::nullopt;
  return v.value("calls", call_counts());
}

}  // namespace iolite::app

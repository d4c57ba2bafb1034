// What `iolite serve` tells the `iolite compare` that started it, over a pipe: a line of JSON when
// it is ready, a line when it has drained. Both ends are here.
#pragma once
#include "iolite/endpoint.hpp"
#include "iolite/models.hpp"
#include "iolite/system_calls.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace iolite::app {

using call_counts = std::map<std::string, std::uint64_t>;

// What a process and the children it has waited for have used so far.
struct usage {
  double user_us = 0;
  double system_us = 0;
  std::uint64_t context_switches = 0;
};

struct ready_report {
  std::string address;  // the first
  std::string model;
  usage used;
  call_counts calls;
};

// The serving end. A failed write is ignored: whoever asked is gone.
void report_ready(int fd, const model_choice& choice, const std::vector<endpoint>& at);
void report_drained(int fd);

// The measuring end; nothing where `line` is not such a report.
[[nodiscard]] std::optional<ready_report> read_ready(const std::string& line);
[[nodiscard]] std::optional<call_counts> read_drained(const std::string& line);

}  // namespace iolite::app

// A server process of its own for each measurement, and what it used, as the system counts it.
//
// CPU time and context switches come from wait4(2): those of the process, of every process it
// forked and waited for, and of the kernel's io_uring workers, which are threads of it (since Linux
// 5.12; seen on 6.18: wait4 has the time that ps -L shows of iou-wrk threads). What it used until
// it was ready is taken off. System calls are counted by the library itself.
#pragma once
#include "load/load.hpp"
#include "measure/account.hpp"
#include "measure/child.hpp"
#include "measure/report.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace iolite::app {

struct server_figures {
  double cpu_us = 0;
  double user_us = 0;  // not a number where it is not known
  double system_us = 0;
  std::uint64_t context_switches = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t threads = 0;  // at most, over all its processes
  std::optional<call_counts> calls;

  [[nodiscard]] std::uint64_t all_calls() const noexcept;
};

class server_process {
 public:
  // `iolite serve echo` under `model` on a free port of 127.0.0.1; or why it did not start.
  [[nodiscard]] static std::expected<server_process, std::string>
  start(const std::string& model, unsigned workers, clock::duration spin, const cpu_set_t* cores);

  [[nodiscard]] const endpoint& address() const noexcept { return address_; }
  // While it is loaded: looks how large it is.
  void look();
  // Drains it. The error: it did not end as it should.
  [[nodiscard]] std::expected<server_figures, std::string> stop();

 private:
  server_process(child process, ready_report ready, endpoint at)
      : process_(std::move(process)), ready_(std::move(ready)), address_(at) {}

  child process_;
  ready_report ready_;
  endpoint address_;
  std::uint64_t threads_ = 0;
  std::uint64_t rss_bytes_ = 0;
  unsigned looks_ = 0;
};

[[nodiscard]] double requests_per_second(const load_result& r) noexcept;
// `total` for each request the server answered; 0 without any.
[[nodiscard]] double each(double total, const load_result& r) noexcept;

// One row of the JSON of bench and compare; null where it is not known.
[[nodiscard]] nlohmann::ordered_json row_as_json(const std::string& model,
                                                 const std::string& workload, const load_result& r,
                                                 const std::optional<server_figures>& server);

}  // namespace iolite::app

#include "page/page.hpp"

#include "measure/machine.hpp"
#include "page/fill.hpp"
#include "page/template.hpp"
#include "terminal/options.hpp"
#include "terminal/output.hpp"

#include "iolite/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <utility>

namespace iolite::app {

namespace {

using nlohmann::ordered_json;

std::string now_utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

}  // namespace

CLI::Option* add_report(CLI::App& to, std::string& into) {
  return add_name(to, "--report", into, "write one page with figures, for any browser")
      ->type_name("FILE.html|-");
}

report::report(std::string target) : target_(std::move(target)) {
  CPU_ZERO(&cores_);
  (void)::sched_getaffinity(0, sizeof cores_, &cores_);
}

bool report::possible() const {
  if (target_.empty() || !page_template().empty()) return true;
  complain("--report: this iolite was built without the page: install nodejs and npm, "
           "and configure with -DIOLITE_WEB=ON; --json works without them");
  return false;
}

int report::write(std::string_view command, const ordered_json& result) const {
  if (target_.empty()) return status_done;
  if (CPU_COUNT(&cores_) > 0) (void)::sched_setaffinity(0, sizeof cores_, &cores_);
  const ordered_json data = {{"command", command},
                             {"version", version},
                             {"written", now_utc()},
                             {"machine", findings_as_json(examine_machine())},
                             {"result", result}};
  return write_result(target_, filled_page(page_template(), data));
}

}  // namespace iolite::app

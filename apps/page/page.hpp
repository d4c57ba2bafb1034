// The page of `--report FILE.html`: a template, built of web/ and compiled into the command, with
// the JSON of `--json` in it. It needs nothing but itself, and treats all it shows as plain text.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <sched.h>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace iolite::app {

// --report FILE.html|-
CLI::Option* add_report(CLI::App& to, std::string& into);

// A report that is asked for, or none where the target is empty. Made before anything is measured:
// measuring binds threads to cores, and the report tells of the machine without that.
class report {
 public:
  explicit report(std::string target);

  // False where this command was built without the page: it complains and says what would help.
  [[nodiscard]] bool possible() const;
  // What `iolite COMMAND --json` writes, as a page. The exit status.
  [[nodiscard]] int write(std::string_view command, const nlohmann::ordered_json& result) const;

 private:
  std::string target_;
  cpu_set_t cores_;  // of the calling thread
};

}  // namespace iolite::app

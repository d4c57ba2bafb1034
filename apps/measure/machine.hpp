// What this machine allows a network server, and how to mend what is missing.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace iolite::app {

enum class verdict { good, limited, missing };

struct finding {
  std::string what;    // "open files (RLIMIT_NOFILE)"
  std::string value;   // "1024, at most 20000"
  verdict state = verdict::good;
  std::string remedy;  // one line; empty where nothing needs mending
};

[[nodiscard]] std::vector<finding> examine_machine();

// "ok", "limited", "missing".
[[nodiscard]] const char* word_for(verdict v);
// [{"what", "found", "state", "remedy"}]
[[nodiscard]] nlohmann::ordered_json findings_as_json(const std::vector<finding>& all);

}  // namespace iolite::app

// What these tests share: the models of a list that this machine has, and a server's options.
#pragma once
#include "iolite/iolite.hpp"
#include "support/eventually.hpp"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

namespace iolite_test {

[[nodiscard]] inline std::vector<std::string> those_here(std::initializer_list<const char*> names) {
  std::vector<std::string> out;
  for (const iolite::model_info& m : iolite::models()) {
    if (m.available && std::ranges::count(names, m.model) > 0) out.push_back(m.model);
  }
  return out;
}

[[nodiscard]] inline iolite::serve_options options_for(const std::string& model, unsigned workers) {
  iolite::serve_options o;
  o.model = model;
  o.workers = workers;
  o.drain_timeout = std::chrono::seconds(10);
  o.engine.when_idle = iolite::engine_options::idle::sleep;
  return o;
}

}  // namespace iolite_test

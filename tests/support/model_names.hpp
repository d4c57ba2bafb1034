// How a test on a model is called: names of tests have no slash.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace iolite_test {

[[nodiscard]] inline std::string name_by_model(const testing::TestParamInfo<std::string>& model) {
  std::string name = model.param;
  std::ranges::replace(name, '/', '_');
  return name;
}

}  // namespace iolite_test

// Runs what c_interface.c does.
#include "tests/selector/each_facility.hpp"

extern "C" int use_from_c(const char* facility, const char** where);

namespace selector_test {
namespace {

TEST_P(each_facility, works_from_c) {
  const char* where = "";
  EXPECT_TRUE(use_from_c(GetParam().c_str(), &where)) << where;
}

TEST(selector_open, null_is_best_from_c) {
  const char* where = "";
  EXPECT_TRUE(use_from_c(nullptr, &where)) << where;
}

}  // namespace
}  // namespace selector_test

// Linked into each suite: notes which mutants each test reaches, a line a test, in the file that
// IOLITE_MUTANTS_LOG names: NAME, milliseconds, "failed" or "passed", the numbers.
#include "mutant.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

namespace {

class listener : public testing::EmptyTestEventListener {
 public:
  explicit listener(const char* path) : out_(std::fopen(path, "ae")) {}

 private:
  void OnTestStart(const testing::TestInfo&) override {
    std::memset(iolite_mutants::reached, 0, size());
  }
  void OnTestEnd(const testing::TestInfo& t) override {
    if (!out_ || t.result()->Skipped()) return;
    std::fprintf(out_, "%s.%s %lld %s", t.test_suite_name(), t.name(),
                 static_cast<long long>(t.result()->elapsed_time()),
                 t.result()->Failed() ? "failed" : "passed");
    for (std::size_t i = 0; i < size(); ++i)
      if (iolite_mutants::reached[i] != 0) std::fprintf(out_, " %zu", i);
    std::fputc('\n', out_);
    std::fflush(out_);
  }
  static std::size_t size() { return std::strtoul(std::getenv("IOLITE_MUTANTS"), nullptr, 10); }

  std::FILE* out_;
};

const bool added = [] {
  const char* const path = std::getenv("IOLITE_MUTANTS_LOG");
  if (path && iolite_mutants::reached)
    testing::UnitTest::GetInstance()->listeners().Append(new listener(path));
  return true;
}();

}  // namespace

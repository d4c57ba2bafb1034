// The fixture of the serve behaviours: one body, every model of the registry.
#pragma once
#include "support/eventually.hpp"
#include "support/served.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace iolite_test {

using namespace std::chrono_literals;

// On every model this machine allows.
class serve : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Options for the model under test. A loop that asks everyone again and again sleeps in between.
  [[nodiscard]] iolite::serve_options options() const;
  [[nodiscard]] std::string model() const;
  [[nodiscard]] iolite::placement placed() const;
  [[nodiscard]] iolite::engine_traits traits() const;

 private:
  int before_ = 0;
};

// Behaviours that only some placements have are instantiated for those alone.
class serve_in_one_process : public serve {};  // shared, thread, pool
class serve_with_children : public serve {};  // process, prefork: a crash is one process's
class serve_by_processes : public serve {};  // process
class serve_by_workers : public serve {};  // prefork
class serve_by_loops : public serve {};  // pool, of event loops
// Who accepts as long as there are descriptors: not a process each, which has a table of its own,
// and not as many as there are workers.
class serve_until_full : public serve {};

// For suites of one file: every model, and the name of a test on it.
[[nodiscard]] std::vector<std::string> all_models();
[[nodiscard]] std::string name_of_model(const testing::TestParamInfo<std::string>& model);

// The answer to `text` is `text`.
void expect_echo(const raw_socket& peer, const std::string& text);
// Whether an answer comes within `limit_ms`; for what must not come, and for waiting in steps.
[[nodiscard]] bool answers(const raw_socket& peer, int limit_ms);
// echo, but "boom" makes it throw and "abort" ends its process.
[[nodiscard]] iolite::task<> fragile_echo(iolite::stream peer);

}  // namespace iolite_test

// The fixture of the conformance suite: one body, every engine of the registry.
//
// A test names a behaviour and asks traits(), never an engine's name. After each test the process
// has as many descriptors as before it.
#pragma once
#include "iolite/iolite.hpp"
#include "support/child.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"
#include "support/system.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace iolite {
class faulty;
struct completion_fault;
struct fault;
class kernel;
}  // namespace iolite

namespace iolite_test {

using namespace std::chrono_literals;

// The parameter of a test is the name of an engine, or `epoll_simulated_7`: on a simulated kernel,
// with seed 7; or `io_uring_direct`: its streams have direct descriptors; or `io_uring_multishot`:
// their receives are multishot from the first on.
[[nodiscard]] const std::vector<iolite::model_info>& known_models();
// Names of the registry: all, and those this machine allows.
[[nodiscard]] std::vector<std::string> engine_names(bool only_available);

// The available ones, and the variants that work here of each.
[[nodiscard]] std::vector<std::string> engine_variants();
// The engines that have a simulated world, and their variants, each with the seeds 1 to `seeds`.
[[nodiscard]] std::vector<std::string> simulated_variants(int seeds);
// Those of `m`: what follows the name of its engine.
[[nodiscard]] std::vector<std::string> variants_of(const iolite::model_info& m);
// The engine of a parameter, as make_engine() takes it.
[[nodiscard]] std::string engine_of(const std::string& parameter);
// A name without its variant, and what that sets.
[[nodiscard]] std::string without_variant(std::string name);
[[nodiscard]] iolite::engine_options options_of(const std::string& name,
                                                iolite::engine_options others = {});

// Of an engine that a child of this process could not make any more, because an earlier test has
// used it here (engine_traits::after_fork): the running test has run elsewhere, skip it.
[[nodiscard]] bool has_run_elsewhere(const std::string& engine);

// Throws std::runtime_error with the library's message when there is none to be had.
[[nodiscard]] std::unique_ptr<iolite::engine> new_engine(const std::string& name);
[[nodiscard]] std::unique_ptr<iolite::engine>
new_engine(iolite::kernel& os, const std::string& name, const iolite::engine_options& = {});

// On the kernel the test runs on.
[[nodiscard]] iolite::clock::time_point now() noexcept;

class engine : public testing::TestWithParam<std::string> {
 public:
  engine();
  ~engine() override;

 protected:
  void SetUp() override;
  void TearDown() override;

  // The engine under test, made when first asked for.
  [[nodiscard]] iolite::engine& on();
  // The same on a kernel that fails by plan. Before anything asks for on().
  iolite::faulty& on_faulty(std::vector<iolite::fault> plan);
  iolite::faulty& on_faulty(std::vector<iolite::fault> plan,
                            std::vector<iolite::completion_fault> completions);
  [[nodiscard]] iolite::engine_traits traits() { return on().traits(); }
  // One more of the same, for another thread.
  [[nodiscard]] std::unique_ptr<iolite::engine> another() const { return new_engine(GetParam()); }

  // For a test in which a facility is not told of something: see TearDown().
  void may_miss_events() { may_miss_events_ = true; }

  template <class T>
  T run(iolite::task<T> body) {
    return on().run(std::move(body));
  }

 private:
  std::unique_ptr<simulated_system> simulated_;
  int before_ = 0;
  bool may_miss_events_ = false;
  std::unique_ptr<iolite::faulty> os_;
  std::unique_ptr<iolite::engine> it_;
};

}  // namespace iolite_test

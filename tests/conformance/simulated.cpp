// Which engines the suite runs on in simulated worlds, and with which seeds.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

// Programs take turns there, so that a sanitizer sees no more with another seed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int seeds = 1;
#else
constexpr int seeds = 3;
#endif

std::vector<std::string> simulated_engines() {
  std::vector<std::string> out;
  for (const char* name : {"select", "poll", "epoll", "signal", "nonblocking", "io_uring"}) {
    for (int seed = 1; seed <= seeds; ++seed) {
      out.push_back(std::string(name) + "_simulated_" + std::to_string(seed));
    }
  }
  return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(conformance, engine, testing::ValuesIn(simulated_engines()),
                         [](const auto& p) { return p.param; });

}  // namespace iolite_test

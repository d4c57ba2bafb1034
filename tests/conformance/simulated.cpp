// Which engines the suite runs on in simulated worlds, and with which seeds.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

std::vector<std::string> simulated_engines() {
  std::vector<std::string> out;
  for (const char* name : {"select", "poll", "epoll", "nonblocking", "io_uring"}) {
    for (const char* seed : {"1", "2", "3"}) {
      out.push_back(std::string(name) + "_simulated_" + seed);
    }
  }
  return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(conformance, engine, testing::ValuesIn(simulated_engines()),
                         [](const auto& p) { return p.param; });

}  // namespace iolite_test

// Which engines the suite runs on in simulated worlds, and with which seeds.
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

namespace iolite_test {
namespace {

// Programs take turns there, so that a sanitizer sees no more with another seed.
constexpr int seeds = address_sanitizer || thread_sanitizer ? 1 : 3;

std::vector<std::string> simulated_engines() {
  std::vector<std::string> out;
  for (const char* name : {"select", "poll", "epoll", "signal", "nonblocking", "blocking",
                           "posix_aio", "io_uring", "io_uring_direct", "io_uring_standing"}) {
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

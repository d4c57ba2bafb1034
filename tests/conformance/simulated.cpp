// Which engines the suite runs on in simulated worlds, and with which seeds.
#include "support/engine_test.hpp"
#include "support/sanitizers.hpp"

namespace iolite_test {
namespace {

// Programs take turns there, so that a sanitizer sees no more with another seed.
constexpr int seeds = address_sanitizer || thread_sanitizer ? 1 : 3;

}  // namespace

INSTANTIATE_TEST_SUITE_P(conformance, engine, testing::ValuesIn(simulated_variants(seeds)),
                         [](const auto& p) { return p.param; });

}  // namespace iolite_test

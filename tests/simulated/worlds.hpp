// Programs for simulated worlds.
#pragma once
#include "iolite/iolite.hpp"
#include "iolite/simulate.hpp"
#include "support/streams.hpp"

#include <string>

namespace iolite_test {

using namespace std::chrono_literals;

// Gives back what it receives.
[[nodiscard]] iolite::task<> give_back(iolite::stream peer);
// Connects, sends `bytes` in pieces, and checks each byte that comes back; again when the
// connection was reset, if it may be.
[[nodiscard]] iolite::task<> talk(std::string to, std::size_t bytes, unsigned seed,
                                  bool may_be_reset = false);
// How often a fault has happened.
[[nodiscard]] std::uint64_t count(const iolite::simulate::report& r, std::string_view fault);
// The address, or an exception.
[[nodiscard]] iolite::endpoint parse(const std::string& text);

}  // namespace iolite_test

// What a hostile peer does: one connection, the worst at one step.
#pragma once
#include "support/engine_test.hpp"

#include <span>

namespace iolite_test {

struct hostile_peer {
  const char* name;
  // The connection is closed when it returns. `second`: a second where time is virtual, less where
  // it is real.
  iolite::task<> (*attack)(iolite::stream& to, iolite::clock::duration second);
};

[[nodiscard]] std::span<const hostile_peer> hostile_peers() noexcept;

}  // namespace iolite_test

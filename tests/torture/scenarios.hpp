// Small complete programs, each of which ends by itself whatever one system call answers.
//
// A scenario may fail, by an error value or an exception; it must not hang, crash or leave
// anything. Every wait is bounded, since what the other side waits for may never be sent.
#pragma once
#include "iolite/iolite.hpp"

#include <span>

namespace iolite {
class kernel;
}

namespace iolite_test {

struct scenario {
  const char* name;
  void (*play)(iolite::engine& on);
};

[[nodiscard]] std::span<const scenario> all_scenarios() noexcept;

}  // namespace iolite_test

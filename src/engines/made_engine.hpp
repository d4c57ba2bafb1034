// What the make_ functions of engines give.
#pragma once
#include "iolite/core/engine.hpp"

#include <memory>

namespace iolite {

// Empty with -errno when it cannot be made.
struct made_engine {
  std::unique_ptr<engine> it;
  int error = 0;
};

}  // namespace iolite

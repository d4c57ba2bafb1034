// Where scripts are played: every engine of the registry on the real kernel, and those that can be
// simulated in a simulated world, quiet or with the faults that a kernel may do to anybody.
#pragma once
#include "player.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace iolite_test::differential {

using sights = std::vector<std::vector<std::string>>;  // of each party, in order

struct stage {
  std::string name;  // epoll, epoll simulated, epoll with faults
  bool has_children = true;  // it can play scripts with child tasks
  std::function<sights(const script&)> play;
};

[[nodiscard]] std::vector<stage> all_stages();
// One whose network cuts connections now and then: what is seen there differs.
[[nodiscard]] stage stage_that_differs();

}  // namespace iolite_test::differential

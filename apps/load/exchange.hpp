// One connection of a load: it connects, asks, takes the answers and checks them.
#pragma once
#include "load/load_state.hpp"

#include "iolite/task.hpp"

namespace iolite::app {

// Connection number `index` of this thread, from beginning to end.
task<void> one_connection(load& l, unsigned index);

}  // namespace iolite::app

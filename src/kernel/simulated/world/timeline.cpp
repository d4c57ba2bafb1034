// See timeline.hpp.
#include "kernel/simulated/world/timeline.hpp"

#include <algorithm>

namespace iolite::simulated {

void timeline::at(clock::time_point when, action what) {
  events_.push_back({std::max(when, now_), random_.next(), ++numbers_, std::move(what)});
  std::push_heap(events_.begin(), events_.end());
}

void timeline::run_next() {
  std::pop_heap(events_.begin(), events_.end());
  action what = std::move(events_.back().what);
  events_.pop_back();
  what();
}

}  // namespace iolite::simulated

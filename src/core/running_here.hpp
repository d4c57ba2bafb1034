// Which engine runs on this thread: see engine::current().
#pragma once
#include "kernel/thread_state.hpp"

#include <utility>

namespace iolite {

class engine;

// Makes it `e` for a while.
class running_here {
 public:
  explicit running_here(engine& e) noexcept : outer_(std::exchange(state_of_thread().runs, &e)) {}
  running_here(const running_here&) = delete;
  running_here& operator=(const running_here&) = delete;
  ~running_here() { state_of_thread().runs = outer_; }

 private:
  engine* const outer_;
};

}  // namespace iolite

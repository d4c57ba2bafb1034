// Waiting for what another thread or process does.
#pragma once
#include <chrono>
#include <thread>

namespace iolite_test {

// False when `condition` has not come to hold within 20 s.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace iolite_test

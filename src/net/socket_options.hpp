// Lengths of time as socket options take them: rounded up, as far as the kernel allows. tcp(7).
#pragma once
#include "iolite/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace iolite {

// TCP_KEEPIDLE, TCP_KEEPINTVL: whole seconds, at least one.
[[nodiscard]] inline int keepalive_seconds(clock::duration d) noexcept {
  const auto s = std::chrono::ceil<std::chrono::seconds>(d).count();
  return static_cast<int>(std::clamp<std::int64_t>(s, 1, 32767));
}

// TCP_USER_TIMEOUT: milliseconds.
[[nodiscard]] inline int user_timeout_ms(clock::duration d) noexcept {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, INT32_MAX));
}

}  // namespace iolite

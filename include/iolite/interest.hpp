// What a caller wants to know of a descriptor, and what it is told.
#pragma once
#include <cstdint>

namespace iolite {

// The bits are those of the C interface (selector.h). `edge` and `oneshot` are modes, not events:
// they may be added where the facility has them, and are never reported.
enum class interest : std::uint8_t {
  none = 0,
  read = 1,
  write = 2,
  both = 3,
  edge = 16,     // report a change once, not a state for as long as it lasts
  oneshot = 32,  // report once, then stay silent until modified
};

[[nodiscard]] constexpr interest operator|(interest a, interest b) noexcept {
  return static_cast<interest>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr interest operator&(interest a, interest b) noexcept {
  return static_cast<interest>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
// Is any bit of `bits` in `set`?
[[nodiscard]] constexpr bool has(interest set, interest bits) noexcept {
  return (set & bits) != interest::none;
}

}  // namespace iolite

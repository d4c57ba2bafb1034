// What a try_send() says. In a condition it is true when the value was taken:
//
//   if (!mail.try_send(m)) ...                       // it was not
//   if (mail.try_send(m) == iolite::offered::full) ...
#pragma once
#include <cstdint>

namespace iolite {

class offered {
 public:
  enum answer : std::uint8_t {
    taken,
    full,    // for now
    closed,  // for good
  };

  constexpr offered(answer a) noexcept : answer_(a) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return answer_ == taken; }
  friend constexpr bool operator==(offered, offered) noexcept = default;

 private:
  answer answer_;
};

}  // namespace iolite

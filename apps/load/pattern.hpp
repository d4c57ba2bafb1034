// A text that any place of a stream can be checked against.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace iolite::app {

// Endless. Its period is a prime, so neither messages nor buffers line up with it.
class pattern {
 public:
  static constexpr std::size_t period = 65521;

  // At most `longest` bytes are asked for at once.
  explicit pattern(std::size_t longest);
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset, std::size_t n) const noexcept {
    return std::span(bytes_).subspan(offset % period, n);
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace iolite::app

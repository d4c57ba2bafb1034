// Memory for the stack of a strand, with a page below it that nobody may touch: who needs more
// stops there. Taken from what the thread has kept; memory that is not touched costs nothing.
#pragma once
#include <cstddef>
#include <span>

namespace iolite::simulated {

class stack {
 public:
  static constexpr std::size_t bytes = std::size_t{1} << 20;

  stack();  // throws std::bad_alloc
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;
  ~stack();

  [[nodiscard]] std::span<std::byte> memory() const noexcept { return {lowest_, bytes}; }
  // It stays for good, and what is in it keeps alive what it points to (for leak checkers).
  void abandon() noexcept;

 private:
  std::byte* lowest_;
};

}  // namespace iolite::simulated

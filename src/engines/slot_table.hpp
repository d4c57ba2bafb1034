// What an engine remembers of each descriptor: a table by its number, which the kernel keeps small.
#pragma once
#include <cstddef>
#include <new>
#include <vector>

namespace iolite {

template <class Slot>
class slot_table {
 public:
  // Makes room for `fd`; references to slots are invalid then. False: no memory.
  bool grow(int fd) noexcept {
    if (holds(fd)) return true;
    try {
      slots_.resize(static_cast<std::size_t>(fd) * 2 + 64);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  [[nodiscard]] bool holds(int fd) const noexcept {
    return fd >= 0 && static_cast<std::size_t>(fd) < slots_.size();
  }
  [[nodiscard]] Slot& operator[](int fd) noexcept { return slots_[static_cast<std::size_t>(fd)]; }
  [[nodiscard]] auto begin() noexcept { return slots_.begin(); }
  [[nodiscard]] auto end() noexcept { return slots_.end(); }

 private:
  std::vector<Slot> slots_;
};

}  // namespace iolite

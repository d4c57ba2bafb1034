// What an engine remembers of each descriptor: a table by its number, which the kernel keeps small.
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace iolite {

// In blocks, so that slots stay where they are and there are not many more than descriptors.
template <class Slot>
class slot_table {
 public:
  // Makes room for `fd` where there is none. Null: no memory.
  [[nodiscard]] Slot* get(int fd) noexcept {
    return holds(fd) || grow(fd) ? &(*this)[fd] : nullptr;
  }
  [[nodiscard]] bool holds(int fd) const noexcept {
    return fd >= 0 && block_of(fd) < blocks_.size() && blocks_[block_of(fd)];
  }
  [[nodiscard]] Slot& operator[](int fd) noexcept {
    return blocks_[block_of(fd)][static_cast<std::size_t>(fd) % block_slots];
  }
  template <class Visit>
  void each(Visit visit) noexcept {
    for (const auto& block : blocks_) {
      if (!block) continue;
      for (Slot& s : std::span(block.get(), block_slots)) visit(s);
    }
  }

 private:
  static constexpr std::size_t block_slots = 64;
  [[gnu::noinline]] bool grow(int fd) noexcept {
    try {
      const std::size_t block = block_of(fd);
      if (blocks_.size() <= block) blocks_.resize(block + 1);
      blocks_[block] = std::make_unique<Slot[]>(block_slots);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  [[nodiscard]] static std::size_t block_of(int fd) noexcept {
    return static_cast<std::size_t>(fd) / block_slots;
  }

  std::vector<std::unique_ptr<Slot[]>> blocks_;
};

}  // namespace iolite

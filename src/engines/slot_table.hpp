// What an engine remembers of each descriptor: a table by its number, which the kernel keeps small.
#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace iolite {

// In pieces, so that slots stay where they are and there are not many more than descriptors.
template <class Slot>
class slot_table {
 public:
  // Makes room for `fd`. False: no memory.
  bool grow(int fd) noexcept {
    if (holds(fd)) return true;
    try {
      const std::size_t piece = piece_of(fd);
      if (pieces_.size() <= piece) pieces_.resize(piece + 1);
      pieces_[piece] = std::make_unique<Slot[]>(piece_slots);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  [[nodiscard]] bool holds(int fd) const noexcept {
    return fd >= 0 && piece_of(fd) < pieces_.size() && pieces_[piece_of(fd)];
  }
  [[nodiscard]] Slot& operator[](int fd) noexcept {
    return pieces_[piece_of(fd)][static_cast<std::size_t>(fd) % piece_slots];
  }
  template <class Visit>
  void each(Visit visit) noexcept {
    for (const auto& piece : pieces_) {
      if (!piece) continue;
      for (Slot& s : std::span(piece.get(), piece_slots)) visit(s);
    }
  }

 private:
  static constexpr std::size_t piece_slots = 64;
  [[nodiscard]] static std::size_t piece_of(int fd) noexcept {
    return static_cast<std::size_t>(fd) / piece_slots;
  }

  std::vector<std::unique_ptr<Slot[]>> pieces_;
};

}  // namespace iolite

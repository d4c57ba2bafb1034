// Bytes in the order they came: a buffer of the simulated kernel.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <sys/uio.h>
#include <vector>

namespace iolite::simulated {

class byte_queue {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - head_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  void append(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }
  // Copies from the front; take: removes them too.
  std::size_t peek(std::span<std::byte> into) const noexcept {
    const std::size_t n = std::min(into.size(), size());
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(head_), n, into.begin());
    return n;
  }
  std::size_t take(std::span<std::byte> into) {
    const std::size_t n = peek(into);
    drop(n);
    return n;
  }
  std::vector<std::byte> take(std::size_t n) {
    std::vector<std::byte> out(std::min(n, size()));
    take(std::span(out));
    return out;
  }
  void clear() noexcept {
    bytes_.clear();
    head_ = 0;
  }

 private:
  void drop(std::size_t n) {
    head_ += n;
    if (head_ == bytes_.size()) {
      clear();
    } else if (head_ > 65536 && head_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
};

// All pieces of a gathering call, one after the other.
[[nodiscard]] inline std::vector<std::byte> joined(std::span<const iovec> pieces) {
  std::vector<std::byte> out;
  for (const iovec& p : pieces) {
    const auto* const from = static_cast<const std::byte*>(p.iov_base);
    out.insert(out.end(), from, from + p.iov_len);
  }
  return out;
}

}  // namespace iolite::simulated

// A message: bytes that are made once and then never change, shared by all who hold it.
//
//   const iolite::message hello("hello");
//   for (iolite::outbox* to : members) to->try_send(hello);   // the bytes are in memory once
//
// Copying counts references; the last one frees header and bytes, which are one piece of memory
// from the free lists of frame_memory.hpp. Any thread: copies on different threads share the bytes.
#pragma once
#include "iolite/core/frame_memory.hpp"

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace iolite {

class message {
 public:
  message() noexcept = default;  // empty: no memory
  explicit message(std::span<const std::byte> bytes)
      : message(bytes.size(), [&](std::span<std::byte> to) {
          std::copy(bytes.begin(), bytes.end(), to.begin());
        }) {}
  explicit message(std::string_view text) : message(std::as_bytes(std::span(text))) {}
  // fill(std::span<std::byte>) writes all of the bytes where they stay; what it throws comes out.
  template <std::invocable<std::span<std::byte>> Fill>
  message(std::size_t bytes, Fill&& fill) {
    if (bytes == 0) return;
    if (bytes > SIZE_MAX / 2) throw std::bad_alloc();  // with its header it would wrap around
    block_ = new (detail::take_frame(sizeof(block) + bytes)) block{.bytes = bytes};
    message until_filled(std::move(*this));
    std::forward<Fill>(fill)(std::span<std::byte>(until_filled.data(), bytes));
    *this = std::move(until_filled);
  }
  message(const message& other) noexcept : block_(other.block_) {
    if (block_) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  message(message&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  message& operator=(message other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~message() {
    // Whoever frees it comes after all that the others have done with it.
    if (block_ && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      detail::give_frame(block_, sizeof(block) + block_->bytes);
  }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return block_ ? std::span<const std::byte>(data(), block_->bytes)
                  : std::span<const std::byte>();
  }
  [[nodiscard]] std::string_view text() const noexcept {
    const auto all = bytes();
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }
  [[nodiscard]] std::size_t size() const noexcept { return block_ ? block_->bytes : 0; }
  [[nodiscard]] bool empty() const noexcept { return !block_; }
  // How many hold it, this one included; 0 for an empty one. A moment's view.
  [[nodiscard]] std::size_t owners() const noexcept {
    return block_ ? block_->owners.load(std::memory_order_relaxed) : 0;
  }

 private:
  struct block {
    std::atomic<std::size_t> owners = 1;
    std::size_t bytes = 0;  // which follow
  };
  [[nodiscard]] std::byte* data() const noexcept {
    return reinterpret_cast<std::byte*>(block_ + 1);
  }

  block* block_ = nullptr;
};

}  // namespace iolite

// A thread of the process that a kernel runs: the library starts all of its own this way, so that a
// simulated world runs them as well. As std::thread, but for the kernel.
#pragma once
#include "kernel/kernel.hpp"

#include <exception>
#include <memory>
#include <system_error>
#include <utility>

namespace iolite {

class os_thread {
 public:
  os_thread() noexcept = default;
  // Throws std::system_error when there is no thread to be had.
  template <class Body>
  os_thread(kernel& os, Body body) : os_(&os) {
    struct start {
      Body body;
      static void* enter(void* me) noexcept {
        const std::unique_ptr<start> own(static_cast<start*>(me));
        own->body();
        return nullptr;
      }
    };
    auto made = std::unique_ptr<start>(new start{std::move(body)});
    number_ = os.clone(start::enter, made.get());
    if (number_ < 0) {
      throw std::system_error(static_cast<int>(-number_), std::system_category(), "a thread");
    }
    static_cast<void>(made.release());
  }
  os_thread(os_thread&& other) noexcept
      : os_(other.os_), number_(std::exchange(other.number_, none)) {}
  os_thread& operator=(os_thread&& other) noexcept {
    if (is_joinable()) std::terminate();
    os_ = other.os_;
    number_ = std::exchange(other.number_, none);
    return *this;
  }
  ~os_thread() {
    if (is_joinable()) std::terminate();
  }

  [[nodiscard]] bool is_joinable() const noexcept { return number_ >= 0; }
  // Waits until it has ended.
  void join() noexcept {
    if (os_->join(std::exchange(number_, none)) < 0) std::terminate();
  }
  // It ends by itself.
  void detach() noexcept { os_->detach(std::exchange(number_, none)); }

 private:
  static constexpr long none = -1;
  kernel* os_ = nullptr;
  long number_ = none;
};

}  // namespace iolite

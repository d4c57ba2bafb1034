// A kernel that fails: it hands every call to another one, but for those its plan names.
//
//   faulty os(kernel::real(), {{.what = call::recv, .nth = 3, .error = ECONNRESET}});
//
// Only calls made through it count. Set the plan before other threads use it.
#pragma once
#include "kernel/kernel.hpp"

#include <atomic>
#include <vector>

namespace iolite {

struct fault {
  call what;
  std::uint64_t nth = 1;                        // the first call of this kind is number 1
  std::uint64_t times = 1;  // how many in a row; `for_ever` for all that follow
  int error = 0;  // fail with this errno, the call is not made
  std::size_t shorten_to = 0;  // > 0: recv, send, read, write move at most so many bytes
  clock::duration delay = clock::duration::zero();  // sleep first, then make the call
  static constexpr std::uint64_t for_ever = ~std::uint64_t{0};
};

class faulty final : public kernel {
 public:
  explicit faulty(kernel& below, std::vector<fault> plan = {}) noexcept;

  clock::time_point now() noexcept override { return below_.now(); }
  long invoke(call c, const call_args& a) noexcept override;
  kernel& undecorated() noexcept override { return below_.undecorated(); }

  // Any thread: how often `c` was called, and how many faults took effect (a test asserts > 0).
  [[nodiscard]] std::uint64_t calls(call c) const noexcept;
  [[nodiscard]] std::uint64_t injected() const noexcept { return injected_; }
  // While disarmed calls pass and do not count: for set-up and clean-up.
  void arm(bool on) noexcept { armed_ = on; }

 private:
  kernel& below_;
  std::vector<fault> plan_;
  std::array<std::atomic<std::uint64_t>, call_count> seen_{};
  std::atomic<std::uint64_t> injected_ = 0;
  std::atomic<bool> armed_ = true;
};

}  // namespace iolite

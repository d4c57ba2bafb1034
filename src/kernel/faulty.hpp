// A kernel that fails: it hands every call to another one, but for those its plan names.
//
//   faulty os(kernel::real(), {{.what = call::recv, .nth = 3, .error = ECONNRESET}});
//
// Completions of an io_uring are no calls; they have a plan of their own:
//
//   os.fail_completions({{.opcode = IORING_OP_RECV, .nth = 2, .error = ECONNRESET}});
//
// Only calls made through it count. Set the plans before other threads use it.
#pragma once
#include "kernel/faulty_ring.hpp"
#include "kernel/kernel.hpp"

#include <atomic>
#include <mutex>
#include <vector>

namespace iolite {

struct fault {
  call what;
  std::uint64_t nth = 1;                        // the first call of this kind is number 1
  std::uint64_t times = 1;  // how many in a row; `for_ever` for all that follow
  int error = 0;  // fail with this errno, the call is not made
  std::size_t shorten_to =
      0;  // > 0: a transfer (recv, sendto, sendmsg, read, aio_*) moves at most so many bytes, and
  // io_uring_enter takes at most so many submissions
  clock::duration delay = clock::duration::zero();  // sleep first, then make the call
  static constexpr std::uint64_t for_ever = ~std::uint64_t{0};
};

struct completion_fault {
  unsigned opcode;  // IORING_OP_...
  std::uint64_t nth = 1;  // of its kind
  std::uint64_t times = 1;
  int error = 0;  // it ends with this errno, whatever had become of it
  unsigned shorten_to = 0;  // > 0: the request may move at most so many bytes
};

class faulty final : public kernel, private faulty_ring::decider {
 public:
  explicit faulty(kernel& below, std::vector<fault> plan = {}) noexcept;

  clock::time_point now() noexcept override { return below_.now(); }
  long invoke(call c, const call_args& a) noexcept override;
  kernel& undecorated() noexcept override { return below_.undecorated(); }

  // Any thread: how often `c` was called, and how many faults took effect (a test asserts > 0).
  [[nodiscard]] std::uint64_t calls(call c) const noexcept;
  [[nodiscard]] std::uint64_t injected() const noexcept { return injected_; }
  // From now on completions count, and those the plan names fail. Before the first ring is made.
  void fail_completions(std::vector<completion_fault> plan) noexcept;
  [[nodiscard]] std::uint64_t completions(unsigned opcode) const noexcept;
  // While disarmed calls pass and do not count: for set-up and clean-up.
  void arm(bool on) noexcept { armed_ = on; }

 private:
  unsigned most_bytes(unsigned opcode) noexcept override;
  int error_of(unsigned opcode) noexcept override;
  long pass(call c, const call_args& a) noexcept;
  long enter(const call_args& a) noexcept;
  [[nodiscard]] bool refuses(const call_args& a) const noexcept;
  [[nodiscard]] faulty_ring* ring_of(int fd) noexcept;
  void forget_ring(int fd) noexcept;
  [[nodiscard]] const completion_fault* planned(unsigned opcode, bool shortens,
                                                std::uint64_t n) noexcept;

  static constexpr std::size_t rings_max = 8;
  static constexpr std::size_t opcodes = 64;

  kernel& below_;
  std::vector<fault> plan_;
  std::vector<completion_fault> completion_plan_;
  bool watches_rings_ = false;
  std::mutex rings_lock_;  // a ring may be made and entered by different threads
  std::array<faulty_ring, rings_max> rings_;
  std::array<std::atomic<std::uint64_t>, opcodes> completed_{};
  std::array<std::atomic<std::uint64_t>, opcodes> requested_{};
  std::array<std::atomic<std::uint64_t>, call_count> seen_{};
  std::atomic<std::uint64_t> injected_ = 0;
  std::atomic<bool> armed_ = true;
};

}  // namespace iolite

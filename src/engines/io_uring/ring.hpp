// The two queues an io_uring shares with the kernel, and nothing else: io_uring(7). The kernel is
// entered through the kernel interface, so a simulated one can read and write the same memory.
#pragma once
#include "kernel/kernel.hpp"

#include <cstdint>
#include <linux/io_uring.h>

namespace iolite {

class ring {
 public:
  explicit ring(kernel& os) noexcept : os_(os) {}
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;
  ~ring();

  // Makes the ring with the set-up `flags`; 0 or -errno.
  int open(unsigned entries, unsigned flags) noexcept;
  // The best one this kernel makes: each flag is tried and given up by itself.
  //   DEFER_TASKRUN, SINGLE_ISSUER (6.1, 6.0): completions are made when we enter
  //   COOP_TASKRUN (5.19): at least no interrupts between processors
  //   R_DISABLED: the thread that first uses the ring becomes its owner
  int open_best(unsigned entries) noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] unsigned features() const noexcept { return features_; }
  [[nodiscard]] unsigned flags() const noexcept { return flags_; }
  [[nodiscard]] unsigned entries() const noexcept { return sq_entries_; }  // of submissions

  // A cleared entry to fill, or null when the queue is full: submit first.
  [[nodiscard]] io_uring_sqe* next() noexcept;
  [[nodiscard]] unsigned unsubmitted() const noexcept { return local_tail_ - *sq_head_; }
  // Hands over what was filled and waits for `complete` completions, `timeout` (null: for ever) at
  // most. The number handed over, or -errno: -ETIME, -EINTR, -EBUSY and -EAGAIN are not failures.
  int enter(unsigned complete, const timespec* timeout) noexcept;

  // The oldest completion, or null; pop() gives its place back.
  [[nodiscard]] const io_uring_cqe* front() const noexcept;
  void pop() noexcept;
  // The kernel holds completions back for want of room: enter() brings them.
  [[nodiscard]] bool overflown() const noexcept;

  int register_with(unsigned op, const void* arg, unsigned n) noexcept {
    return os_.io_uring_register(fd_, op, arg, n);
  }

 private:
  int map(const io_uring_params& p) noexcept;
  long map_at(std::size_t bytes, long offset) noexcept;
  static unsigned load(const unsigned* p) noexcept { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
  static void store(unsigned* p, unsigned v) noexcept { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

  kernel& os_;
  int fd_ = -1;
  unsigned features_ = 0;
  unsigned flags_ = 0;
  void* rings_ = nullptr;
  std::size_t rings_bytes_ = 0;
  io_uring_sqe* sqes_ = nullptr;
  std::size_t sqes_bytes_ = 0;

  unsigned local_tail_ = 0;
  unsigned sq_entries_ = 0;
  unsigned sq_mask_ = 0;
  unsigned cq_mask_ = 0;
  unsigned* sq_head_ = nullptr;
  unsigned* sq_tail_ = nullptr;
  unsigned* sq_flags_ = nullptr;
  unsigned* sq_array_ = nullptr;
  unsigned* cq_head_ = nullptr;
  unsigned* cq_tail_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
};

}  // namespace iolite

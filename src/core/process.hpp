// Which side of a fork(2) this is, and what its child must not inherit.
#pragma once
#include <mutex>

namespace iolite {
namespace detail {
extern unsigned forks;  // written only in a child that has one thread yet
}

// How many forks lie between the first process and this one: what was made before one (an engine, a
// thread pool) is known by a smaller number after it. A getpid(2) a time would cost more than the
// check is worth.
[[nodiscard]] inline unsigned fork_count() noexcept { return detail::forks; }

// A lock that fork(2) waits for: a child that inherited it in another thread's hands would wait for
// ever. Of static storage; who holds it does not fork.
class process_lock {
 public:
  process_lock() noexcept;
  process_lock(const process_lock&) = delete;
  process_lock& operator=(const process_lock&) = delete;
  void lock() { it_.lock(); }
  void unlock() noexcept { it_.unlock(); }

 private:
  friend struct held_over_fork;
  std::mutex it_;
  process_lock* const next_;
};

}  // namespace iolite

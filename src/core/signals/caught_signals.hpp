// Which signals this process catches, and whom their handler tells: a serve() that a signal stops,
// and the objects of iolite/signals.hpp. The library installs a handler nowhere else, so that each
// signal may have any number of receivers, and the last one puts back what was there before.
//
// After fork(2) the child has none of its parent's receivers. There a signal does what it did
// before it was caught; in a child that the library itself has forked it does nothing, unless
// somebody there catches it: what the parent waits for does not end its children.
#pragma once
#include "kernel/kernel.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>

namespace iolite {

// A set of signals: bit n - 1 is signal n.
using signal_bits = std::uint64_t;
[[nodiscard]] constexpr signal_bits bit_of(int number) noexcept {
  return signal_bits{1} << (number - 1);
}

// Who is told of some signals.
class signal_receiver {
 public:
  signal_receiver(const signal_receiver&) = delete;
  signal_receiver& operator=(const signal_receiver&) = delete;
  // In the handler, on any thread, also on several at a time: signal-safety(7).
  virtual void caught(int number) noexcept = 0;

 protected:
  explicit constexpr signal_receiver(signal_bits wanted) noexcept : wanted_(wanted) {}
  ~signal_receiver() = default;

 private:
  friend class caught_signals;
  const signal_bits wanted_;
  std::atomic<signal_receiver*> next_ = nullptr;
};

class caught_signals {
 public:
  // `parents`: those whose handler was there before the process began to catch any.
  explicit constexpr caught_signals(signal_bits parents = 0) noexcept : parents_(parents) {}
  caught_signals(const caught_signals&) = delete;
  caught_signals& operator=(const caught_signals&) = delete;

  // Of the process that `k` belongs to. Throws std::bad_alloc in a simulated one.
  static caught_signals& of(kernel& k);
  // What serve() keeps of a simulated process. The real process's is empty.
  static std::shared_ptr<void>& of_server(kernel& k);

  // From now on `r` is told. 0, or -errno: it is told of nothing. -EALREADY: it is told already.
  int add(kernel& os, signal_receiver& r) noexcept;
  // `r` may go then: no handler uses it any more. One that was not added is none of ours.
  void remove(kernel& os, signal_receiver& r) noexcept;
  // In a child that the library has forked, before anything is added.
  void start_in_child() noexcept;
  // In any child, which has one thread.
  void forget_parents() noexcept;

  // What the handler does.
  void take(kernel& os, int number) noexcept;
  // A handler that has told a task may still use its engine. Returns once none is under way.
  void await_handlers(kernel& os) noexcept;

  // Counts as a handler: for what tells tasks of signals outside of one.
  class under_way {
   public:
    under_way(caught_signals& all, kernel& os) noexcept;
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
    ~under_way();

   private:
    caught_signals& all_;
    kernel& os_;
  };

 private:
  static constexpr int last = 64;
  static constexpr std::size_t index(int number) noexcept {
    return static_cast<std::size_t>(number);
  }
  int install(kernel& os, signal_bits numbers) noexcept;
  void put_back(kernel& os, signal_bits numbers) noexcept;
  void give_to_program(kernel& os, int number) noexcept;
  [[nodiscard]] signal_bits wanted_by_others(const signal_receiver& r) const noexcept;
  [[nodiscard]] bool knows(const signal_receiver& r) const noexcept;
  void unlink(signal_receiver& r) noexcept;

  std::mutex lock_;  // of what is written; a handler only reads
  std::atomic<signal_receiver*> first_ = nullptr;
  std::array<struct sigaction, last + 1> before_{};  // by number, of those that are caught
  std::atomic<signal_bits> caught_ = 0;
  std::atomic<signal_bits> parents_;  // caught by the parent of this process, by nobody here
  std::uint32_t handlers_ = 0;  // under way, on any thread: the word of a futex
};

}  // namespace iolite

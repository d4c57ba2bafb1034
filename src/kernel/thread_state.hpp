// What the library remembers of a thread. All that is its own is here and nowhere else, so that a
// simulated world can run the threads of its programs by turns on one thread of the system: see
// simulated/strand.hpp, which lends each of them a state.
//
// Elsewhere thread_local are only things that any thread may use: free memory, counters.
#pragma once
#include <array>
#include <csignal>
#include <cstdint>

namespace iolite {

class engine;
class kernel;

// What the signal pollers of one thread share: which signals wait there, blocked, and how often the
// news of one may have been taken by another. Not in it: what is watched, which each poller knows.
struct signal_thread {
  std::uint64_t id = 0;  // never used again, unlike addresses and tids
  std::uint64_t taken = 0;  // signals taken from the queue, by whichever poller
  std::uint64_t disarmed = 0;  // O_ASYNC taken away, perhaps from under another poller
  std::array<std::uint16_t, NSIG> pollers{};  // that need this signal blocked
  std::array<bool, NSIG> ours{};  // it was not blocked before them
};

struct thread_state {
  engine* runs = nullptr;  // engine::current()
  kernel* simulated = nullptr;  // kernel::of_thread(); null: the real one
  signal_thread signals;
};

namespace detail {
extern thread_local constinit thread_state own_thread_state;
extern thread_local constinit thread_state* lent_thread_state;  // null: the thread's own
}  // namespace detail

// Of the thread that runs. Its address tells threads apart.
[[nodiscard]] inline thread_state& state_of_thread() noexcept {
  thread_state* const lent = detail::lent_thread_state;
  return lent ? *lent : detail::own_thread_state;
}

}  // namespace iolite

// The signals of a process: what each thread blocks, and what waits for it there: signal(7).
//
// Those that files send (O_ASYNC) come from file::changed(), where all readiness comes from.
// Real-time signals are queued; one that finds no room becomes a plain SIGIO, of which one waits at
// most. A signal that would end the program ends the run: nothing of the library may let it.
//
// Not in it: handlers are kept and never run. What is sent to a process goes to its first thread.
#pragma once
#include <array>
#include <csignal>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace iolite {
struct thread_state;
}

namespace iolite::simulated {

class signal_table {
 public:
  explicit signal_table(int first_id) noexcept : first_id_(first_id) {}

  // gettid(2) of the calling thread.
  [[nodiscard]] int thread_id() { return mine().id; }
  // What a new thread blocks is what the one that starts it does. And: the calling thread ends.
  [[nodiscard]] sigset_t blocked() { return mine().blocked; }
  void thread_ends();
  [[nodiscard]] bool knows(int id) const noexcept { return find(id) != nullptr; }

  // --- as the calls: 0 or -errno ---
  int mask(int how, const sigset_t* set, sigset_t* old);
  int action(int number, const struct sigaction* act, struct sigaction* old);
  // One of `set` that waits for the calling thread, the lowest number first; 0: none does.
  int take(const sigset_t& set, siginfo_t* out);
  [[nodiscard]] sigset_t pending();  // of the calling thread
  // Does one of `set` wait for thread `id`? Asked from any.
  [[nodiscard]] bool is_waiting(int id, const sigset_t& set) const noexcept;

  // To thread `id`: number 0 is a plain SIGIO, and so is one that finds the queue `full`.
  void from_file(int id, int number, int fd, int reason, bool full);
  void raise(int number) { deliver(mine(), number, {}); }

  std::size_t queue_max = 1024;  // RLIMIT_SIGPENDING

 private:
  struct one_thread {
    int id = 0;
    sigset_t blocked{};
    std::array<std::deque<siginfo_t>, NSIG> waiting;
  };

  one_thread& mine();
  [[nodiscard]] one_thread* find(int id) const noexcept;
  void deliver(one_thread& to, int number, const siginfo_t& info);
  void must_not_be_let_through(int number) const;

  const int first_id_;
  int known_ = 0;  // threads, those that have ended too
  // By thread; looked up only, so that their order means nothing.
  std::map<const thread_state*, std::unique_ptr<one_thread>> threads_;
  std::array<struct sigaction, NSIG> actions_{};
  std::size_t queued_ = 0;
};

}  // namespace iolite::simulated

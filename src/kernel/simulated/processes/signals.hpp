// The signals of a process: what each thread blocks, and what waits for it there: signal(7).
//
// Those that files send (O_ASYNC) come from file::changed(), where all readiness comes from.
// Real-time signals are queued; one that finds no room becomes a plain SIGIO, of which one waits at
// most. What kill(2) sends may end the process. Any other signal that would do so ends the run:
// nothing of the library may let it.
//
// What is sent to a process goes to its first thread if that does not block it, else to another one
// that does not, else it waits for any of them. Handlers run at the end of a system call, which
// they have interrupted if it waited; SA_RESTART is not looked at.
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
  // A child has the actions of its parent, and nothing waits for it.
  void inherit(const signal_table& parent) { actions_ = parent.actions_; }

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
  // By kill(2). True: it ends the process.
  [[nodiscard]] bool from_process(int number, long sender);

  // --- what interrupts a thread ---
  // Asked from any.
  [[nodiscard]] bool interrupts(const thread_state* thread) const noexcept;
  // Of the calling thread: the next one to handle, its handler, and the mask to come back to.
  // `handler` null: it ends the process. 0: there is none.
  struct handling {
    int number = 0;
    void (*handler)(int) = nullptr;
    sigset_t mask_before{};
  };
  [[nodiscard]] handling begin_handling();
  void end_handling(const handling& h) { mine().blocked = h.mask_before; }

  std::size_t queue_max = 1024;  // RLIMIT_SIGPENDING

 private:
  struct one_thread {
    int id = 0;
    sigset_t blocked{};
    std::array<std::deque<siginfo_t>, NSIG> waiting;
  };

  one_thread& mine();
  [[nodiscard]] one_thread* find(int id) const noexcept;
  [[nodiscard]] one_thread* who_lets_through(int number) noexcept;
  [[nodiscard]] bool has_handler(int number) const noexcept;
  [[nodiscard]] bool is_ignored(int number) const noexcept;
  void deliver(one_thread& to, int number, const siginfo_t& info);
  void take_first(std::deque<siginfo_t>& waiting, int number);
  void discard(one_thread& of, int number);
  void must_not_be_let_through(int number, const siginfo_t& info) const;

  const int first_id_;
  int known_ = 0;  // threads, those that have ended too
  // By thread; looked up only, so that their order means nothing.
  std::map<const thread_state*, std::unique_ptr<one_thread>> threads_;
  std::array<struct sigaction, NSIG> actions_{};
  one_thread shared_;  // what waits for any thread
  std::size_t waiting_ = 0, queued_ = 0;  // all; of real-time ones
};

}  // namespace iolite::simulated

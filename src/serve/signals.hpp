// SIGINT and SIGTERM while serving: the first asks for a stop, the second ends the process.
//
// A child counts none of them. A signal to the group (Ctrl-C, systemd) reaches it directly and then
// once more from its supervisor, which passes every stop on: to a child the two are one wish. Its
// supervisor counts, and its end is the end of its children: see child_processes.
#pragma once
#include "core/signals/caught_signals.hpp"
#include "kernel/kernel.hpp"
#include "serve/stop.hpp"

#include <atomic>

namespace iolite {

// What the two signals mean to one process.
struct signal_meaning final : signal_receiver {
  std::atomic<kernel*> os = nullptr;
  std::atomic<stop_latch*> latch = nullptr;  // a stop is asked here
  std::atomic<int> connection = -1;  // >= 0: of this socket nothing more is received
  std::atomic<int> seen = 0;
  std::atomic<bool> in_child = false;

  constexpr signal_meaning() noexcept : signal_receiver(bit_of(SIGINT) | bit_of(SIGTERM)) {}
  // Of the process that `k` belongs to. Throws std::bad_alloc in a simulated one.
  static signal_meaning& of(kernel& k);
  void caught(int number) noexcept override;

  // Whether the stop of stop_signals::end_connection() has come.
  [[nodiscard]] bool connection_ends() const noexcept;
  // The number `fd` is about to be closed, and may be another socket's soon.
  void connection_closes(int fd) noexcept;
};

// Catches the two for as long as it lives. One of those that do at a time in a process.
class stop_signals {
 public:
  // `on` false: it does nothing, since another server of this process may have the signals.
  // Children that are forked meanwhile catch them all the same.
  stop_signals(kernel& os, stop_latch& latch, bool on);
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;
  // The latch may go then: no handler uses it any more.
  ~stop_signals();

  // Keeps all signals back on this thread. Around a fork: a signal in a child waits until the child
  // has said what it means.
  class held_back {
   public:
    explicit held_back(kernel& os) noexcept;
    held_back(const held_back&) = delete;
    held_back& operator=(const held_back&) = delete;
    ~held_back();
    // What this thread blocked before.
    [[nodiscard]] const sigset_t& before() const noexcept { return before_; }

   private:
    kernel& os_;
    sigset_t before_{};
  };

  // First in a child, with all signals held back: what its parent catches does nothing here. All
  // but those in `blocked` and the two come through from then on. Throws as signal_meaning::of().
  static void begin_child(kernel& os, sigset_t blocked);
  // Next in it, which is ours whatever serve_options::signals says: the two come through from then
  // on, also where the program blocks them.
  // A stop is asked of `latch`, and means the end of this one connection, as soon as its peer has
  // been answered.
  static void end_connection(kernel& os, stop_latch& latch, int fd);
  // A stop is asked of `latch`.
  static void ask(kernel& os, stop_latch& latch);
  // The latch of either may go then. The handlers stay: a late signal must not end the child.
  static void ask_nobody(kernel& os) noexcept;

 private:
  static void receive_in_child(kernel& os, stop_latch* latch, int fd);

  kernel& os_;
  signal_meaning& meaning_;
  const bool on_;
};

}  // namespace iolite

// SIGINT and SIGTERM while serving: the first asks for a stop, the second ends the process.
#pragma once
#include "kernel/kernel.hpp"
#include "serve/stop.hpp"

namespace iolite {

// Installs the handlers for as long as it lives. One at a time in a process.
class stop_signals {
 public:
  stop_signals(kernel& os, stop_latch& latch, bool on) noexcept;
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;
  ~stop_signals();

  // In a child, which is ours whatever serve_options::signals says: a stop means the end of this
  // one connection, as soon as its peer has been answered.
  static void end_connection_instead(int fd) noexcept;
  // Whether that stop has come.
  [[nodiscard]] static bool connection_ends() noexcept;
  // In a child that serves many: a stop is asked of its own latch.
  static void ask_instead(stop_latch& latch) noexcept;

 private:
  static void install() noexcept;

  kernel& os_;
  bool on_;
  struct sigaction old_int_{};
  struct sigaction old_term_{};
};

}  // namespace iolite

// A strand: a stack of its own, and all that makes it a thread to those who run on it. The strands
// of a world take turns on one thread of the system, so that a switch costs some nanoseconds and
// nothing depends on the system's scheduler.
//
// What a switch changes besides the registers: the state of the thread that the library keeps
// (thread_state.hpp), the exceptions in flight (the C++ ABI keeps them by thread), and what
// sanitizers know. The only place is strand::change() in strand.cpp. Not changed: errno, the
// floating-point modes, thread_local variables of programs.
#pragma once
#include "kernel/simulated/strands/sanitizer.hpp"
#include "kernel/simulated/strands/stack.hpp"
#include "kernel/thread_state.hpp"

#include <functional>
#include <optional>

namespace iolite::simulated {

class switched_stack;

class strand {
 public:
  // The thread that makes this: it has a stack, and runs.
  strand();
  // Runs body() when it is first switched to. body() ends by giving who shall run next. Throws
  // std::bad_alloc.
  explicit strand(std::move_only_function<strand&()> body);
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;
  ~strand();

  // `from` runs and stands still until somebody switches back to it.
  static void change(strand& from, strand& to, bool over = false) noexcept;
  // Stays where it is, for good.
  void abandon() noexcept;

 private:
  // Of the C++ ABI: Itanium C++ ABI, "Exception Handling", 2.2.2.
  struct exceptions {
    void* caught = nullptr;
    unsigned uncaught = 0;
#if defined(__ARM_EABI_UNWINDER__)
    void* propagating = nullptr;
#endif
  };
  static void begin(strand& me) noexcept;

  std::optional<stack> stack_;
  sanitized_strand sanitized_;
  void* saved_ = nullptr;  // what brings it back: see switch.hpp
  exceptions exceptions_;
  thread_state* lent_ = nullptr;
  thread_state state_;
  std::move_only_function<strand&()> body_;
};

}  // namespace iolite::simulated

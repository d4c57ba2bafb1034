// Every order in which threads can run a small program, up to a number of preemptions.
//
// The program is a function that uses the real library: std::thread, mutexes, condition variables,
// atomics. It is compiled with -fsanitize=thread, which turns each access to memory into a call,
// but not linked to that sanitizer: the calls come here. So do the few functions of pthreads and
// operator new. Threads are fibers that take turns on one thread, and each turn ends where a
// decision makes it end; depth first, all decisions are tried.
//
// What is found: a check() that fails, a broken rule of the library, a dead-lock (a lost wake-up is
// one), a data race, a use after the end, a program that does not end.
//
// The bounds: `preemptions` of a thread that could have gone on (changes at a wait or an end are
// free), and `stale_reads`: an atomic read that is not seq_cst may give any older value that the
// C++ memory model allows; those are tried too, so store buffering is covered. And `late_stores`:
// an atomic store that is not seq_cst may become visible only when its thread releases something
// else, waits or ends, so that exchanges of others come before it.
//
// Not modelled: fences; stores that stay invisible beyond a release; reads from the future;
// spurious failures of compare_exchange_weak and ends of a wait on a condition variable. A system
// call synchronizes, as in ThreadSanitizer.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace interleavings {

struct limits {
  int preemptions = 4;
  int stale_reads = 2;
  int late_stores = 1;
  std::uint64_t executions_max = 20'000'000;
};

struct outcome {
  bool complete = false;  // all orders within the limits were seen
  std::uint64_t executions = 0;
  std::uint64_t points_max = 0;  // places at which a thread could be stopped, in one execution
  int threads_max = 0;
  std::string failure;  // empty: none
  std::string schedule;  // of the failure, for replay()
  std::string trace;  // what each thread did, of a replayed one
};

// Runs `program` in all orders until one fails. It must not keep anything from one run to the next,
// and what it makes it makes inside.
[[nodiscard]] outcome explore(const limits& within, const std::function<void()>& program);
// Runs it once, in the order that `schedule` says.
[[nodiscard]] outcome replay(const std::string& schedule, const std::function<void()>& program);

// In a program: a claim. Its failure ends the run.
void check(bool holds, const char* what);

// For tests: explores, and fails unless all orders hold. With IOLITE_SCHEDULE in the environment
// only that one is run, and shown.
void expect_holds(const limits& within, const std::function<void()>& program);
// The checker's own tests: an order must fail, with `what` in the report, and fail again when it is
// replayed.
void expect_found(const limits& within, const char* what, const std::function<void()>& program);

}  // namespace interleavings

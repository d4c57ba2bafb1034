// Measures one exchange: a peer sends a message some time after a receive has begun. Which thread
// waits for it, which one copies it, and when? On every engine, on this machine, through the
// library's real engines.
//
//   iolite::trace::session s({.bytes = 64});
//   s.add("blocking");
//   s.add("epoll");
//   const auto seen = s.measure();
//
// R. Stevens (UNIX Network Programming vol. 1, 6.2) divides an input operation into two phases. The
// points in time between which they lie:
//   t0  the operation starts                  t2  the process learns that the data is there
//   t1  the data is at the socket             t3  the copy begins        t4  it has ended
// Where these come from, and how exact each is: docs/trace.md. What could not be observed is absent
// from the results; nothing is filled in.
//
// A session uses the calling thread for the engines and one more for the peer, and pins the two to
// different processors, where there are two, until it is destroyed. One session at a time.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/result.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iolite {
class kernel;
}

namespace iolite::trace {

// What is measured.
struct options {
  std::size_t bytes = 64;  // of the message: 1 to bytes_max
  // How long after t0 the peer sends. A readiness engine looks after its descriptors every 10 ms
  // (docs/semantics.md); a look while the data arrives would wake the thread too early, so delays
  // close to a multiple of that are made 2 ms longer.
  clock::duration delay = std::chrono::milliseconds(8);
  unsigned rounds = 50;  // that count; five more are made first
  bool over_unix = false;  // a unix socket pair instead of TCP on the loopback interface
  const std::atomic<bool>* stop = nullptr;  // true: no further round begins
};
inline constexpr std::size_t bytes_max = std::size_t{64} * 1024;

// Who moves the bytes to where the program wants them.
enum class copier : std::uint8_t {
  self,  // the thread that asked, by a system call of its own for it
  helper,  // another thread of the process
  kernel,  // nobody asks: it is done by the time a call that waits returns
};

// What a system call of the waiting thread was and how long it took. Relative to t1.
struct made_call {
  std::string_view name;
  clock::duration begin, end;
  long result;
};
// When a thread was not running. Relative to t1.
struct rest {
  enum class whose : std::uint8_t { own, helper } of;
  bool preempted;  // it could have run
  clock::duration begin, end;
};

// One round. Times are relative to t1 unless it is said otherwise.
struct exchange {
  clock::duration waited;  // t1 - t0
  clock::duration uncertainty;  // of t1: the data arrived at most this much later
  std::optional<clock::duration> woke;  // the thread was running again
  std::optional<clock::duration> helper_woke, helper_done;  // copier::helper
  clock::duration t2, t4;
  std::optional<clock::duration> t3;
  // The copy is no call of its own: it is the end of the call that waited.
  bool one_call = false;
  bool slept = false;
  // Another process had the processor, or the peer was late, by more than 500 us in all: its times
  // say more about the machine than about the engine.
  bool disturbed = false;
  copier copied_by = copier::self;
  std::string_view asleep_in;  // the call; empty: it did not sleep, or that was not seen
  clock::duration cpu_phase1;  // of the waiting thread, from t0 to t2
  std::uint64_t calls_phase1 = 0, calls_phase2 = 0;
  // The last calls of the thread and its pauses, for drawing.
  std::vector<made_call> calls;
  std::vector<rest> rests;
};

// All rounds of one engine.
struct subject {
  std::string engine;
  std::vector<exchange> rounds;
  // Ten timers of 1 ms each on the same thread, in a round of their own: how many ran in phase 1.
  std::optional<unsigned> others_run;
  unsigned others_due = 10;
  std::string failure;  // why it has fewer rounds than asked for; empty otherwise
};

// What phase 2 costs when the data is there already: processor time, median of several rounds.
struct copy_cost {
  std::string engine;
  std::size_t bytes;
  clock::duration own;  // of the thread that asked
  clock::duration others;  // of helpers and the kernel's workers
  std::string failure;
};

// Measures engines side by side, each with connections of its own.
class session {
 public:
  explicit session(const options& o);
  // On a kernel whose calls a test lets fail. The engines run on it, too.
  session(const options& o, kernel& os);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session();

  // The error says why there is no such engine, or no connection for it.
  result<void> add(std::string_view engine);

  // Runs all rounds, the engines in rotating order. `progress` is told the share that is done.
  [[nodiscard]] std::vector<subject> measure(const std::function<void(double)>& progress = {});
  // Of each engine that was added, for each of `sizes`.
  [[nodiscard]] std::vector<copy_cost> copy_costs(const std::vector<std::size_t>& sizes,
                                                  unsigned rounds);

  // Whether context switches are visible: without them nobody knows when a thread woke up.
  [[nodiscard]] bool sees_switches() const noexcept;
  // Whether arrival and copies are stamped by the kernel's tracepoints, as root may.
  [[nodiscard]] bool is_exact() const noexcept;
  [[nodiscard]] bool is_pinned() const noexcept;
  [[nodiscard]] clock::duration delay() const noexcept;  // see options::delay
  // What could not be observed, and what would make it visible: one line each.
  [[nodiscard]] const std::vector<std::string>& missing() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace iolite::trace

// Runs one program in one order: fibers, whose turn it is, and what they wait for.
//
// Fibers and not threads: a change of turn costs a fraction of a microsecond. What belongs to a
// thread is exchanged with the turn: the thread_local memory of the executable and what the C++
// library knows of exceptions in flight.
#pragma once
#include "decisions.hpp"
#include "explore.hpp"
#include "memory.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <ucontext.h>
#include <unordered_set>
#include <vector>

namespace interleavings {

// What one thread does at a point, for the trace.
struct deed {
  const char* what;
  const void* where;
  const void* caller;  // an address in the code
};

class machine {
 public:
  static machine& it();
  [[nodiscard]] static bool made() { return only_; }

  // Runs `program` once. False: there was a failure().
  bool run(const limits& within, decisions& order, const std::function<void()>& program);
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t points() const { return points_; }
  [[nodiscard]] int threads() const { return made_; }
  [[nodiscard]] std::uint64_t execution() const { return execution_; }
  // What two threads have touched is known from then on: places where a change of turn matters.
  // True: there is more of it since the last time.
  bool learn_shared();
  void forget_shared() { shared_.clear(); }
  // Every place is one, and the deeds are kept.
  bool replaying = false;
  [[nodiscard]] std::string trace() const;

  // --- for the calls that come from the program; all but active() from inside of one ---

  // Is the calling code part of the program?
  [[nodiscard]] static bool active() { return active_; }
  // The code that runs until its end is the checker's.
  class inside {
   public:
    inside() { active_ = false; }
    ~inside() { active_ = true; }
    inside(const inside&) = delete;
    inside& operator=(const inside&) = delete;
  };

  [[nodiscard]] int thread() const { return current_; }
  // Others may go on before the deed is done.
  void point(const deed& d);
  // A decision that is not about turns. Of several at one point each is a step of its own, in every
  // run.
  int choose(int options);
  void next_step() { ++step_; }
  // Waits until holds(). `timed`: the end of its time may come first; false: it did.
  bool wait(const std::function<bool()>& holds, bool timed = false);
  int start(std::function<void()> body);
  // What this thread has stored becomes visible; before that others may go on.
  void land(const void* caller = nullptr);
  [[nodiscard]] bool over(int thread) const { return fibers_[index(thread)].over; }
  [[noreturn]] void fail(const std::string& what);
  void access(const void* p, std::size_t bytes, access_kind kind);
  [[nodiscard]] int stale_reads_left() const { return stale_left_; }
  void took_stale_read() { --stale_left_; }
  [[nodiscard]] bool may_be_late(address a) const {
    return late_left_ > 0 && (replaying || shared_.contains(a));
  }
  void took_late_store() { --late_left_; }

  memory mem;
  std::int64_t time_ns = 0;

 private:
  struct fiber {
    ucontext_t at{};
    std::function<void()> body;
    std::vector<std::byte> own;  // thread_local
    std::array<std::byte, 16> exceptions{};
    const std::function<bool()>* needs = nullptr;
    bool timed = false;
    bool over = false;
    const char* waits_in = "";
  };

  machine();
  static inline constinit machine* only_ = nullptr;
  static std::size_t index(int thread) { return static_cast<std::size_t>(thread); }
  static void live();
  [[nodiscard]] bool able(int thread) const;
  void others_able(std::vector<int>& out) const;
  void give_turn_to(int thread);
  void leave(ucontext_t& here, int thread);
  void end_thread();
  void over_or_dead_lock();
  void save(fiber& f) const;
  void load(const fiber& f) const;

  std::array<fiber, threads_max> fibers_;
  std::vector<int> able_;
  ucontext_t outside_{};
  fiber outside_state_;
  std::byte* own_ = nullptr;  // the executable's thread_local memory, of this thread
  std::vector<std::byte> fresh_;  // as a new thread has it
  int current_ = -1;
  static inline constinit bool active_ = false;  // asked before there is a machine
  int made_ = 0;

  limits within_;
  decisions* order_ = nullptr;
  int preemptions_left_ = 0;
  int stale_left_ = 0;
  int late_left_ = 0;
  std::uint64_t execution_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t points_ = 0;
  std::string failure_;
  std::unordered_map<address, std::uint32_t> touched_by_;  // a bit for each thread
  std::unordered_set<address> shared_;
  std::vector<std::pair<int, deed>> deeds_;
};

}  // namespace interleavings

// Who runs: the programs of a world take turns, exactly one at a time, and the seed says who is
// next. A turn ends when its program waits in the kernel.
//
// Each program is a thread, and the turn is passed from hand to hand. Not fibers: an engine, the
// lists of coroutine frames and signals know their thread (thread_local), exceptions in flight are
// the thread's, and sanitizers and debuggers know threads. The price is some microseconds a turn;
// it is not paid while one program goes on by itself.
//
// Whoever gives its turn away looks for the next one: first among those that can go on, then time
// jumps to the next event or the next end of a wait. Where there is none, nothing will ever happen
// again: that is a dead-lock, and the thread that drives the world is told.
#pragma once
#include "kernel/simulated/timeline.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace iolite::simulated {

enum class waited : std::uint8_t { holds, time_is_up, stuck };

class baton {
 public:
  baton(timeline& time, random_source& random);
  baton(const baton&) = delete;
  baton& operator=(const baton&) = delete;
  ~baton();

  // A new program: `body` runs on a thread of its own, from its first turn on.
  void start(std::function<void()> body);

  // Whoever has the turn waits until holds() or `until`; the others run. holds() is asked again
  // when `version` has changed (null: always). `stuck` comes only to the thread that made this.
  template <class Holds>
  waited wait(const std::uint64_t* version, clock::time_point until, Holds holds) {
    const auto ask = [](void* h) { return static_cast<bool>((*static_cast<Holds*>(h))()); };
    return wait_for({ask, &holds, version}, until);
  }
  // Others that can go on may do so now.
  void yield() {
    wait(nullptr, time_.now(), [] { return false; });
  }

  [[nodiscard]] std::size_t running() const noexcept { return live_; }
  // Is it the calling thread's turn?
  [[nodiscard]] bool is_mine() const noexcept;
  // Programs that cannot end are left where they are, for good: so is what they use.
  void abandon() noexcept;
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }

 private:
  struct need {
    bool (*holds)(void*) = nullptr;
    void* of = nullptr;
    const std::uint64_t* version = nullptr;
  };
  struct actor {
    std::thread thread;
    std::thread::id id;
    std::mutex lock;
    std::condition_variable came;
    bool turn = false;
    bool over = false;
    bool waits = false;
    need wants;
    std::uint64_t seen = 0;
    clock::time_point until = never;

    void give_turn();
    void take_turn();
    [[nodiscard]] bool can_go_on(clock::time_point now);
  };

  waited wait_for(need wants, clock::time_point until);
  actor& choose();
  void live(actor& me, std::function<void()> body);

  timeline& time_;
  random_source& random_;
  std::vector<std::unique_ptr<actor>> actors_;  // the first is the thread that made this
  std::vector<actor*> able_;
  actor* current_;
  std::size_t live_ = 0;
  bool stuck_ = false;
  bool abandoned_ = false;
};

}  // namespace iolite::simulated

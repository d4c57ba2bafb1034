// Who runs: the programs of a world take turns, exactly one at a time, and the seed says who is
// next. A turn ends when its program waits in the kernel.
//
// Each program is a strand (see strand.hpp), and each thread it starts is one more; all of them run
// on the thread of the system that made the world.
//
// Whoever gives its turn away looks for the next one: first among those that can go on, then time
// jumps to the next event or the next end of a wait. Where there is none, nothing will ever happen
// again: that is a dead-lock, and the thread that drives the world is told.
#pragma once
#include "kernel/simulated/strands/strand.hpp"
#include "kernel/simulated/world/timeline.hpp"

#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace iolite::simulated {

enum class waited : std::uint8_t { holds, time_is_up, stuck };

class baton {
 public:
  baton(timeline& time, random_source& random);
  baton(const baton&) = delete;
  baton& operator=(const baton&) = delete;
  ~baton();

  // `body` runs on a strand of its own, from its first turn on. Throws std::bad_alloc.
  void start(std::move_only_function<void()> body);

  // Whoever has the turn waits until holds() or `until`; the others run. holds() is asked again
  // when `version` has changed (null: always). `stuck` comes only to the thread that made this.
  template <class Holds>
  waited wait(const std::uint64_t* version, clock::time_point until, Holds holds) {
    const auto ask = [](void* h) { return static_cast<bool>((*static_cast<Holds*>(h))()); };
    return wait_for({ask, &holds, version}, until);
  }
  // The same for an observer: where nothing else happens any more it is stuck, and does not
  // wait until the end.
  template <class Holds>
  waited watch(clock::time_point until, Holds holds) {
    watches_ = true;
    const waited r = wait(nullptr, until, holds);
    watches_ = false;
    return r;
  }
  // Others that can go on may do so now.
  void yield() {
    wait(nullptr, time_.now(), [] { return false; });
  }
  // One event, or one turn of one program; false: nothing can ever happen. For who made this.
  bool step();

  [[nodiscard]] std::size_t running() const noexcept { return live_; }
  // Is it the thread that made this, on which all of them run?
  [[nodiscard]] bool is_mine() const noexcept { return std::this_thread::get_id() == thread_; }
  // Programs that cannot end are left where they are, for good: so is what they use.
  void abandon() noexcept;
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }

 private:
  struct need {
    bool (*holds)(void*) = nullptr;
    void* of = nullptr;
    const std::uint64_t* version = nullptr;
  };
  // Of one that waits, what must be looked at whenever somebody is chosen: close together.
  struct brief {
    clock::time_point until;  // time_point::min(): it does not wait
    const std::uint64_t* version = nullptr;
    std::uint64_t seen = 0;
  };
  struct actor {
    actor() = default;
    actor(std::size_t i, std::move_only_function<strand&()> body)
        : index(i), runs_on(std::move(body)) {}

    std::size_t index = 0;  // of it in actors_ and briefs_
    need wants;
    strand runs_on;
  };

  waited wait_for(need wants, clock::time_point until);
  [[nodiscard]] actor& driver() const noexcept { return *actors_.front(); }
  void stands_still(const actor& a, need wants, clock::time_point until);
  [[nodiscard]] bool can_go_on(std::size_t index);
  actor& choose();
  actor* who_can_go_on(clock::time_point& next);
  void give_turn(actor& from, actor& to);
  strand& end_of(actor& me);

  timeline& time_;
  random_source& random_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::vector<std::unique_ptr<actor>> actors_;  // the first is the thread that made this
  std::vector<brief> briefs_;
  std::unique_ptr<actor> ended_;  // the last one, which may stand on its stack yet
  std::vector<std::size_t> able_;
  actor* current_;
  std::size_t live_ = 0;
  bool stuck_ = false;
  bool watches_ = false;  // the thread that made this: see watch()
  bool abandoned_ = false;
};

}  // namespace iolite::simulated

// Virtual time, and what is going to happen in it. Time moves when a program works a little, and
// when nobody can go on: then it jumps to the next event.
//
// Events at the same time come in an order that the seed chooses: who needs an order gives them
// different times.
#pragma once
#include "kernel/simulated/world/random.hpp"

#include <functional>
#include <vector>

namespace iolite::simulated {

class timeline {
 public:
  using action = std::move_only_function<void()>;

  explicit timeline(random_source& random) noexcept : random_(random) {}
  timeline(const timeline&) = delete;
  timeline& operator=(const timeline&) = delete;

  // Not zero: a program must not take the clock's beginning for its own.
  static constexpr clock::time_point start{std::chrono::hours(1)};

  [[nodiscard]] clock::time_point now() const noexcept { return now_; }
  [[nodiscard]] clock::duration elapsed() const noexcept { return now_ - start; }
  void at(clock::time_point when, action what);
  void after(clock::duration length, action what) { at(now_ + length, std::move(what)); }

  // Of the next event; `never`: there is none.
  [[nodiscard]] clock::time_point next() const noexcept {
    return events_.empty() ? never : events_.front().when;
  }
  // What is due happens, what it brings about for now included.
  void run_due() {
    while (next() <= now_) run_next();
  }
  // The next event, due or not.
  void run_next();
  void pass(clock::duration length) noexcept { now_ += length; }
  void jump(clock::time_point to) noexcept { now_ = std::max(now_, to); }
  // Nothing happens any more: what the events hold is let go.
  void clear() noexcept { events_.clear(); }

 private:
  struct event {
    clock::time_point when;
    std::uint64_t tie;
    std::uint64_t number;
    action what;
    friend bool operator<(const event& a, const event& b) noexcept {  // a heap: the last first
      if (a.when != b.when) return a.when > b.when;
      return a.tie != b.tie ? a.tie > b.tie : a.number > b.number;
    }
  };

  random_source& random_;
  clock::time_point now_ = start;
  std::vector<event> events_;
  std::uint64_t numbers_ = 0;
};

}  // namespace iolite::simulated

// Ticks at equal distances, without drift: what is to be done again and again.
//
//   iolite::ticker every(1s);
//   while (co_await every.next()) flush();
//
// The ticks are at multiples of the period after its construction. How long the work between two of
// them takes, and how late one was, moves none of the others. Ticks that have passed meanwhile are
// one tick; how many they were is its value.
//
// Used by one task at a time, on any engine. A second one that awaits it meanwhile stops the
// program, and so does destroying it while one does. Its lateness is that of sleep(): time.hpp.
#pragma once
#include "iolite/result.hpp"
#include "iolite/task.hpp"

#include <coroutine>
#include <cstdint>

namespace iolite {

class ticker {
 public:
  class tick_operation;

  // A period of zero or less stops the program.
  explicit ticker(clock::duration period) noexcept;
  ticker(const ticker&) = delete;
  ticker& operator=(const ticker&) = delete;
  ~ticker();

  // co_await: result<std::uint64_t>, how many ticks have passed since the last one: 1, or more when
  // it was not awaited in time, at once then. An error only when cancelled.
  [[nodiscard]] tick_operation next() noexcept;
  [[nodiscard]] clock::duration period() const noexcept { return period_; }

 private:
  std::uint64_t take_passed() noexcept;
  clock::duration period_;
  clock::time_point next_;
  bool awaited_ = false;
};

// co_await: result<uint64_t>. ticker::next() makes it.
class ticker::tick_operation : public awaitable_operation {
 public:
  explicit tick_operation(ticker& of) noexcept : of_(of) { kind = op_kind::sleep; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
    take_ticker();
    return begin(h, h.promise().ctx());
  }
  result<std::uint64_t> await_resume() noexcept;

 private:
  void take_ticker() noexcept;
  using operation::deadline;  // no within(): it is a time itself
  ticker& of_;
};

inline ticker::tick_operation ticker::next() noexcept { return tick_operation(*this); }

}  // namespace iolite

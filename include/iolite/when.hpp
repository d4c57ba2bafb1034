// Several things at a time:
//
//   auto both = co_await iolite::when_any(peer.recv(buffer), stop.wait());
//   if (both.index == 1) co_return;                       // `stop` was the first to end
//   const auto& received = std::get<0>(both.values);      // what the other one gave, cancelled
//
//   auto [name, size] = co_await iolite::when_all(ask_name(a), ask_size(b));
//   auto pages = co_await iolite::when_all(std::move(tasks), {.at_most = 10});  // in their order
//   auto race = co_await iolite::when_any(std::move(connects), {.wins = iolite::winner::success});
//
// Each part is a child of a scope (scope.hpp): on a blocking engine it has a thread. All have ended
// when the co_await returns. when_any() cancels the others as soon as one has ended, and waits for
// them; what they give is there too, so bytes that arrived at the same moment are not lost. With
// winner::success and no success the winner is the last failure: look at its value too. The winner
// of an empty range is the largest index there is. When a part throws, the others are cancelled and
// awaited, then the exception goes on. Cancelling the task that waits cancels all parts.
//
// A part is a task, an operation, a handle, or one of these with a limit. Parts that stand in the
// call are awaited there: kept in a variable it does not compile. A task<void> gives a
// std::monostate.
//
// A stream that a part has made may be handed out, on every engine. A lease may not where parts are
// threads: its buffer belongs to the part's engine.
#pragma once
#include "iolite/parts.hpp"
#include "iolite/parts_of_range.hpp"

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace iolite {

// What when_any() of a range gives.
template <class Value>
struct any_in {
  std::size_t index;  // of the winner
  std::vector<Value> values;  // of those that were started: the first ones of the range
};

// How when_any() of a range runs its parts.
struct any_options {
  std::size_t at_most = std::numeric_limits<std::size_t>::max();  // how many run at a time
  winner wins = winner::end;
};
// How when_all() of a range runs its parts.
struct all_options {
  std::size_t at_most = std::numeric_limits<std::size_t>::max();  // how many run at a time
};

// co_await: the values of all parts.
template <detail::a_part... Parts>
[[nodiscard]] auto when_all(Parts&&... parts) {
  return detail::in_place(detail::run_parts(nullptr, parts...));
}
// co_await: any_of the values of the parts, once the first has ended, and the others after it.
template <detail::a_part... Parts>
  requires(sizeof...(Parts) > 0)
[[nodiscard]] auto when_any(Parts&&... parts) {
  return detail::in_place(detail::run_any(parts...));
}

// The values of the tasks of `parts`, in their order. The range is kept, and a task is taken from
// it (moved) when it is to start: a view that makes its tasks makes no more of them at a time.
template <detail::range_of_tasks Range>
[[nodiscard]] task<std::vector<detail::value_in<Range>>> when_all(Range parts,
                                                                  all_options options = {}) {
  detail::supply<Range> from(parts);
  auto whole = detail::run_range(from, options.at_most, nullptr, winner::end);
  co_await whole;
  co_return from.take_values();
}
// The first of them that ends, or succeeds, wins: the others are cancelled, or not started any
// more. Of an empty range index is SIZE_MAX.
template <detail::range_of_tasks Range>
[[nodiscard]] task<any_in<detail::value_in<Range>>> when_any(Range parts,
                                                             any_options options = {}) {
  detail::supply<Range> from(parts);
  detail::race first;
  auto whole = detail::run_range(from, options.at_most, &first, options.wins);
  co_await whole;
  co_return any_in<detail::value_in<Range>>{first.index(), from.take_values()};
}

}  // namespace iolite

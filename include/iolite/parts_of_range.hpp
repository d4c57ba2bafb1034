// How when_all() and when_any() run the tasks of a range: see when.hpp.
#pragma once
#include "iolite/parts.hpp"

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace iolite {

// Which part of a range wins.
enum class winner : bool {
  end,  // the first to end
  success,  // the first that does not end with an error; if there is none, the last to end
};

namespace detail {

template <class Range>
using task_in = std::remove_cvref_t<std::ranges::range_reference_t<Range>>;
template <class Range>
using value_in = stored<typename task_in<Range>::value_type>;
template <class Range>
concept range_of_tasks = std::ranges::input_range<Range> && is_task<task_in<Range>>;

// The tasks of a range, for workers that may be threads: each takes the next one.
template <class Range>
class supply {
 public:
  struct taken {
    task_in<Range> work;
    std::optional<value_in<Range>>* out;
    std::size_t index;
  };

  explicit supply(Range& all) : next_(std::ranges::begin(all)), end_(std::ranges::end(all)) {}

  // None: there is no other one, or stop() was called.
  [[nodiscard]] std::optional<taken> take() {
    const std::lock_guard hold(lock_);
    if (stopped_ || next_ == end_) return std::nullopt;
    std::optional<taken> out(taken{std::ranges::iter_move(next_), nullptr, values_.size()});
    out->out = &values_.emplace_back();
    ++next_;
    return out;
  }
  void stop() noexcept {
    const std::lock_guard hold(lock_);
    stopped_ = true;
  }
  // Once all have ended.
  [[nodiscard]] std::vector<value_in<Range>> take_values() {
    std::vector<value_in<Range>> out;
    out.reserve(values_.size());
    // NOLINTNEXTLINE(bugprone-unchecked-optional-access): each has ended, and has one
    for (auto& one : values_) out.push_back(std::move(*one));
    return out;
  }

 private:
  std::mutex lock_;
  std::ranges::iterator_t<Range> next_;
  std::ranges::sentinel_t<Range> end_;
  std::deque<std::optional<value_in<Range>>> values_;  // their addresses stay
  bool stopped_ = false;
};

template <class T>
bool is_success(const T&) noexcept {
  return true;
}
template <class T>
bool is_success(const result<T>& r) noexcept {
  return r.has_value();
}

// One task after the other.
template <class Range>
task<void> work_on(supply<Range>& from, typename supply<Range>::taken first, scope& all, race* any,
                   winner wins) {
  struct stops_it {
    supply<Range>* from;
    ~stops_it() {
      if (from) from->stop();
    }
  } unless_done{&from};
  for (std::optional one(std::move(first)); one; one = from.take()) {
    task_in<Range>& work = one->work;
    auto& out = *one->out;
    if constexpr (std::is_void_v<typename task_in<Range>::value_type>) {
      co_await work;
      out.emplace();
    } else {
      out.emplace(co_await work);
    }
    if (!any || !any->ended(one->index, wins == winner::end || is_success(*out))) continue;
    from.stop();
    all.cancel();
  }
  unless_done.from = nullptr;
}

template <class Range>
task<void> run_range(supply<Range>& from, std::size_t at_most, race* any, winner wins) {
  nursery all(on_failure::cancel);
  try {
    for (std::size_t n = 0; n == 0 || n < at_most; ++n) {
      auto first = from.take();
      if (!first) break;
      all.spawn(work_on(from, std::move(*first), all, any, wins));
    }
  } catch (...) {
    from.stop();
    all.body_threw();
  }
  auto end = all.end();
  co_await end;
}

}  // namespace detail
}  // namespace iolite

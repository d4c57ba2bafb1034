// How when_all() and when_any() run a fixed number of parts: see when.hpp.
#pragma once
#include "iolite/limit.hpp"
#include "iolite/nursery.hpp"

#include <coroutine>
#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace iolite {

// What when_any() of a fixed number gives.
template <class... Values>
struct any_of {
  std::size_t index;  // of the part that was the first to end
  std::tuple<Values...> values;  // of all parts
};

namespace detail {

// An operation or a task is its own awaiter. Anything else is awaited as an rvalue.
template <class Part>
concept awaited_itself = requires(Part& p) { p.await_resume(); };
template <class Part>
concept awaited_once = requires(Part&& p) { std::move(p).operator co_await().await_resume(); };
template <class Part>
concept a_part =
    awaited_itself<std::remove_cvref_t<Part>> || awaited_once<std::remove_cvref_t<Part>>;

template <class Part>
auto value_of(Part& p) {
  if constexpr (awaited_itself<Part>) return p.await_resume();
  else return std::move(p).operator co_await().await_resume();
}
template <class T>
using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
template <class Part>
using stored_of = stored<decltype(value_of(std::declval<Part&>()))>;

// Who is the first to end, of parts that may be threads.
class race {
 public:
  // True: `index` is it.
  bool ended(std::size_t index, bool may_win = true) noexcept {
    const std::lock_guard hold(lock_);
    if (won_) return false;
    index_ = index;
    won_ = may_win;
    return won_;
  }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }

 private:
  std::mutex lock_;
  std::size_t index_ = std::numeric_limits<std::size_t>::max();
  bool won_ = false;
};

template <class Part>
task<void> run_part(Part& p, std::optional<stored_of<Part>>& out, scope& all, race* any,
                    std::size_t index) {
  constexpr bool has_value = !std::is_void_v<decltype(value_of(p))>;
  if constexpr (awaited_itself<Part> && has_value) {
    out.emplace(co_await p);
  } else if constexpr (has_value) {
    out.emplace(co_await std::move(p));
  } else {
    if constexpr (awaited_itself<Part>) co_await p;
    else co_await std::move(p);
    out.emplace();
  }
  if (any && any->ended(index)) all.cancel();
}

template <class... Parts>
task<std::tuple<stored_of<Parts>...>> run_parts(race* any, Parts&... parts) {
  std::tuple<std::optional<stored_of<Parts>>...> out;
  nursery all(on_failure::cancel);
  try {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (all.spawn(run_part(parts, std::get<I>(out), all, any, I)), ...);
    }(std::index_sequence_for<Parts...>());
  } catch (...) {
    all.body_threw();
  }
  auto end = all.end();
  co_await end;
  co_return std::apply(
      [](auto&... one) { return std::tuple<stored_of<Parts>...>(std::move(*one)...); }, out);
}

template <class... Parts>
task<any_of<stored_of<Parts>...>> run_any(Parts&... parts) {
  race first;
  auto whole = run_parts(&first, parts...);
  auto values = co_await whole;
  co_return any_of<stored_of<Parts>...>{first.index(), std::move(values)};
}

// Refers to temporaries: awaited where it is made.
template <class T>
class [[nodiscard]] in_place {
 public:
  using value_type = T;
  explicit in_place(task<T> whole) noexcept : whole_(std::move(whole)) {}
  struct awaiter {
    task<T>& whole;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) {
      return whole.await_suspend(h);
    }
    T await_resume() { return whole.await_resume(); }
  };
  [[nodiscard]] awaiter operator co_await() && noexcept { return {whole_}; }

 private:
  template <class U>
  friend task<U>& awaiter_of(in_place<U>& p) noexcept;
  task<T> whole_;
};
template <class T>
task<T>& awaiter_of(in_place<T>& p) noexcept {
  return p.whole_;
}

}  // namespace detail
}  // namespace iolite

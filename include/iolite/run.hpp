// A client's main in one line:
//
//   iolite::task<iolite::result<void>> talk() { ... }
//   int main() { return iolite::run(talk()); }
//
// For a server there is serve_main(): serve.hpp.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/models.hpp"
#include "iolite/result.hpp"
#include "iolite/scope.hpp"
#include "iolite/task.hpp"

#include <concepts>
#include <expected>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace iolite {

namespace detail {

// Each prints `iolite: WHAT` as one line (one_line.hpp) on standard error, and gives 1.
int report(std::string_view what) noexcept;
inline int report(const error& e) noexcept { return report(e.message); }
int report(const std::error_code& code) noexcept;
int report_exception() noexcept;  // the one that is being handled

// What main() returns for what a task has given.
[[nodiscard]] inline int exit_status_of(int status) noexcept { return status; }
template <class T, class E>
  requires requires(const E& e) { detail::report(e); }
[[nodiscard]] int exit_status_of(const std::expected<T, E>& r) noexcept {
  if (!r) return report(r.error());
  if constexpr (std::same_as<T, int>) return *r;
  else return 0;
}

template <class T>
concept has_exit_status =
    std::is_void_v<T> || requires(const T& value) { detail::exit_status_of(value); };

}  // namespace detail

// Makes an engine (`model` and `options` as for make_engine(), a placement is ignored), runs `t` to
// its end and gives the exit status:
//
//   the task ends           the status is      on standard error
//   task<>                  0
//   task<int>               that number
//   task<result<T>>         0, of an int that number; 1 for an error, with its line
//   by an exception         1                  what it says
//   no engine can be had    1                  why, and what to do
//
// std::expected<T, iolite::error> and std::expected<T, std::string> are results too.
template <class T>
  requires detail::has_exit_status<T>
[[nodiscard]] int run(task<T> t, std::string_view model = "auto",
                      const engine_options& options = {}) {
  try {
    const auto made = make_engine(model, options);
    if (!made) return detail::report(made.error());
    if constexpr (std::is_void_v<T>) {
      (*made)->run(std::move(t));
      return 0;
    } else {
      return detail::exit_status_of((*made)->run(std::move(t)));
    }
  } catch (...) {
    return detail::report_exception();
  }
}

// The same of what `f()` gives; a lambda with captures is kept until the end.
template <std::invocable F>
  requires detail::has_exit_status<typename std::invoke_result_t<F&>::value_type>
[[nodiscard]] int run(F f, std::string_view model = "auto", const engine_options& options = {}) {
  try {
    return run(f(), model, options);
  } catch (...) {  // of f() itself, before there is a task
    return detail::report_exception();
  }
}

}  // namespace iolite

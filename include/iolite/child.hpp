// What a scope and those who use it agree on about its children: see scope.hpp.
#pragma once
#include "iolite/task.hpp"

#include <exception>
#include <type_traits>

namespace iolite {

// What the failure of a child means to its siblings: that it lets an exception out or, as a
// task<result<T>>, gives an error.
enum class on_failure : bool {
  go_on,  // nothing
  cancel,  // the first one cancels them
};

// Makes the records of a scope's children itself, and is told when one is over: serve() knows each
// of its connections by it.
struct child_keeper {
  // A child lets an exception out, which join() is not told then.
  virtual void threw(const std::exception_ptr& thrown) noexcept = 0;
  // The frame of `c` is gone.
  virtual void over(child_task& c) noexcept = 0;

 protected:
  ~child_keeper() = default;
};

namespace detail {

template <class F>
std::invoke_result_t<F&> run_kept(F f) {
  auto whole = f();
  if constexpr (std::is_void_v<decltype(whole.await_resume())>) co_await whole;
  else co_return co_await whole;
}

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

}  // namespace detail

}  // namespace iolite

// Runs tasks side by side, and returns when all of them have ended, whatever happens:
//
//   co_await iolite::in_scope([&](iolite::scope& children) -> iolite::task<> {
//     children.spawn(reader(s));
//     children.spawn([&]() -> iolite::task<> { co_await log_to(file); });
//     co_await writer(s);
//   });
//
// An exception of the body cancels the children, waits for them and then goes on. So a handler that
// throws ends its own connection only.
//
// What the children refer to is declared before in_scope() and not in its body: a variable of the
// body is gone once the body has ended or thrown, and the children go on until they are joined.
#pragma once
#include "iolite/scope.hpp"
#include "iolite/task.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace iolite {

// The scope of in_scope().
class detail::nursery final : public scope {
 public:
  // Takes all memory that the end needs.
  explicit nursery(on_failure what = on_failure::go_on) : end_(wait_for_all()) { set(what); }
  // The exception that is being handled has left the body: it is what end() rethrows.
  void body_threw() noexcept;
  // join(), once.
  [[nodiscard]] task<void> end() noexcept { return std::move(end_); }

 private:
  task<void> end_;
};

// Calls `body(children)`, which gives a task, and gives the value of that once it and all children
// have ended. Rethrows what the body threw, else the first exception of a child. An exception of
// the body cancels the children; one of a child leaves the body and the other children running,
// unless `what` is on_failure::cancel: then the first child that fails cancels the others. The body
// learns of that by what it awaits of them.
//
// Cancelling the task that waits here cancels the wait of the body, and the children when the body
// has ended.
//
// `body` is kept until then, so it may be a lambda with captures and a coroutine. For the sake of
// clang-tidy's cppcoreguidelines-avoid-capturing-lambda-coroutines, which does not know that, it
// may also be a lambda that calls one: [&](iolite::scope& children) { return talk(children, s); }.
//
// Throws std::bad_alloc without memory for the scope; then `body` has not been called.
template <class Body>
  requires requires { typename std::invoke_result_t<Body&, scope&>::value_type; }
[[nodiscard]] auto in_scope(on_failure what, Body body) -> std::invoke_result_t<Body&, scope&> {
  using whole_task = std::invoke_result_t<Body&, scope&>;
  using value = typename whole_task::value_type;
  detail::nursery children(what);
  std::optional<whole_task> whole;  // its frame stays until the children have ended
  std::optional<std::conditional_t<std::is_void_v<value>, bool, value>> out;
  try {
    whole_task& running = whole.emplace(body(children));
    if constexpr (std::is_void_v<value>) co_await running;
    else out.emplace(co_await running);
  } catch (...) {
    children.body_threw();
  }
  auto end = children.end();
  co_await end;
  // NOLINTNEXTLINE(bugprone-unchecked-optional-access): the body has ended without throwing
  if constexpr (!std::is_void_v<value>) co_return std::move(*out);
}
template <class Body>
  requires requires { typename std::invoke_result_t<Body&, scope&>::value_type; }
[[nodiscard]] auto in_scope(Body body) -> std::invoke_result_t<Body&, scope&> {
  return in_scope(on_failure::go_on, std::move(body));
}

}  // namespace iolite

// Bounding how long anything that is awaited may take:
//
//   auto n = co_await (peer.recv(buffer) | iolite::within(5s));        // std::errc::timed_out
//   auto line = co_await (read_line(peer) | iolite::within(5s));      // a task of any kind
//   auto value = co_await (values.receive() | iolite::until(midnight));
//
// An operation gets a deadline. Of anything else (a task, a channel's send() or receive(), an
// outbox's send(), frames, a task_handle) the operation is cancelled that it waits in when the time
// is over, those that follow end at once, and the co_await returns when the work has ended: nothing
// of it goes on. The end is then reported as std::errc::timed_out:
//
//   - of a task<result<T>>, in place of an error; a value is delivered, also a late one
//   - of a task<T>, which gives a result<T> here, if an operation in it was cut short; else its
//     value is delivered
//
// So what won the race with the limit is never lost. Exceptions go through.
//
// Of nested limits the nearest ends the work. Inside it looks like a cancel
// (std::errc::operation_canceled); only where the limit stands it is timed_out.
//
// A call under offload() that has begun, and a shielded() part, are waited for.
#pragma once
#include "iolite/bounded.hpp"
#include "iolite/task.hpp"

#include <coroutine>
#include <type_traits>
#include <utility>

namespace iolite {

// An operation, which lives until the co_await it stands in has returned: it is awaited here.
template <class Operation>
  requires detail::has_deadline<Operation>
[[nodiscard]] detail::bounded<std::remove_reference_t<Operation>>
operator|(Operation&& op, detail::bound b) noexcept {
  return {op, b};
}
// A task or a handle: a temporary is kept, else it has to outlive the co_await.
template <class Work>
  requires detail::can_be_cut<Work>
detail::bounded_work<Work> operator|(Work&& work, detail::bound b) noexcept {
  return {std::forward<Work>(work), b};
}
// Clean-up that a cancel from outside does not reach, nor a limit around it: only its own, which it
// must have, and which reports timed_out as above.
//
//   co_await iolite::shielded(say_goodbye(peer), iolite::within(2s));
template <class T>
[[nodiscard]] detail::bounded_work<task<T>> shielded(task<T> clean_up, detail::bound b) noexcept {
  return {std::move(clean_up), b, true};
}

// Another limit: the nearest of both counts.
template <class Bounded>
  requires(detail::is_bounded<Bounded>)
[[nodiscard]] Bounded operator|(Bounded&& inner, detail::bound b) noexcept {
  return std::move(inner).also_by(b);  // NOLINT(bugprone-move-forwarding-reference): no lvalue
}
// Anything else has no part that the library could end early; a sleep is a limit itself.
template <class Unbounded>
  requires(!detail::boundable<Unbounded>)
std::suspend_never operator|(Unbounded&& neither_task_nor_operation, detail::bound) = delete;

}  // namespace iolite

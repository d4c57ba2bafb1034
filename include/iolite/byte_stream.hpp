// What a protocol needs of a connection, whatever carries its bytes: a stream over TCP or a unix
// socket, an encrypted layer over one, a script in a test.
//
//   template <iolite::byte_stream S>
//   iolite::task<> talk(S& peer) { ... }
//
// `stream` models it and says what the members mean (stream.hpp), here in short:
//
//   recv(into)            result<std::size_t>: at least one byte; 0 at the end of the stream
//   recv_all(into)        result<void>: the whole buffer, or an error
//   recv_lease()          result<L>: bytes that the stream lends, L::bytes(); none at the end
//   send_all(bytes)       result<std::size_t>: all of them, or an error
//   send_all(pieces)      the same of std::span<const piece>, in order
//   shutdown_write()      result<void>: the peer receives the end of the stream
//   finish(limit)         void: ends politely, within `limit`
//   close()               void, at once, noexcept; pending operations end with operation_canceled
//   set_idle_timeout(d)   void: how long an operation may wait without a byte
//
// All but close() and set_idle_timeout() are awaited; shutdown_write() may also give its result at
// once, as that of `stream` does. One receive and one send may be pending at a time, on a blocking
// engine from two threads. Errors are those of docs/semantics.md. A model is used by reference and
// need not be movable.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/core/operation.hpp"
#include "iolite/result.hpp"

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <span>
#include <utility>

namespace iolite {

namespace detail {

template <class A>
concept converts_to_awaiter = requires(A&& a) { std::forward<A>(a).operator co_await(); };

// The type of `co_await a`; none where `a` cannot be awaited.
template <class A>
struct awaited {};
template <class A>
  requires(!converts_to_awaiter<A>) && requires(A& a) { a.await_resume(); }
struct awaited<A> {
  using type = decltype(std::declval<A&>().await_resume());
};
template <converts_to_awaiter A>
struct awaited<A> {
  using type = decltype(std::declval<A>().operator co_await().await_resume());
};
template <class A>
using awaited_t = typename awaited<A>::type;

template <class A, class T>
concept awaits_to = std::same_as<awaited_t<A>, T>;

template <class L>
concept lends_bytes = requires(const L& l) {
  { l.bytes() } -> std::convertible_to<std::span<const std::byte>>;
};
template <class A>
concept awaits_to_lease = lends_bytes<typename awaited_t<A>::value_type> &&
                          awaits_to<A, result<typename awaited_t<A>::value_type>>;

template <class A>
concept gives_result = std::same_as<A, result<void>> || awaits_to<A, result<void>>;

// What a gives_result gives, to be awaited in either case.
struct known_result {
  result<void> known;
  [[nodiscard]] bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  [[nodiscard]] result<void> await_resume() const noexcept { return known; }
};
[[nodiscard]] inline known_result to_await(result<void> r) noexcept { return {r}; }
template <class A>
  requires awaits_to<A, result<void>>
[[nodiscard]] A&& to_await(A&& a) noexcept {
  return std::forward<A>(a);
}

}  // namespace detail

template <class S>
concept byte_stream = requires(S& s, std::span<std::byte> into, std::span<const std::byte> from,
                               std::span<const piece> pieces, clock::duration limit) {
  { s.recv(into) } -> detail::awaits_to<result<std::size_t>>;
  { s.recv_all(into) } -> detail::awaits_to<result<void>>;
  { s.recv_lease() } -> detail::awaits_to_lease;
  { s.send_all(from) } -> detail::awaits_to<result<std::size_t>>;
  { s.send_all(pieces) } -> detail::awaits_to<result<std::size_t>>;
  { s.shutdown_write() } -> detail::gives_result;
  { s.finish(limit) } -> detail::awaits_to<void>;
  { s.close() } noexcept;
  s.set_idle_timeout(limit);
};

}  // namespace iolite

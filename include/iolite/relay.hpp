// Carries bytes between two connections until both have ended: what a proxy does.
//
//   auto server = co_await iolite::stream::connect(to, 5s);
//   if (!server) co_return;
//   const auto r = co_await iolite::relay(client, *server, {.idle = 60s});
//
// Each direction ends by itself: the end of one stream is passed on (shutdown_write), and the other
// direction goes on, as rsh(1), HTTP/1.0 and databases need it. The time limits are of the session
// as a whole: as long as bytes move in one direction, the other one may be silent.
#pragma once
#include "iolite/byte_stream.hpp"
#include "iolite/clock.hpp"
#include "iolite/event.hpp"
#include "iolite/nursery.hpp"
#include "iolite/task.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <system_error>

namespace iolite {

// Zero, or less: no limit.
struct relay_limits {
  clock::duration idle = std::chrono::minutes(5);  // no byte has moved in either direction
  clock::duration session = clock::duration::zero();  // it lasts that long in all
  // One side has ended, and the other one goes on for that long.
  clock::duration half_closed = clock::duration::zero();
};

// What relay() has moved, and why it ended.
struct relayed {
  std::uint64_t to_first = 0;  // bytes
  std::uint64_t to_second = 0;
  // Why it ended early; none: both sides have ended. std::errc::timed_out: a limit;
  // operation_canceled: the task was cancelled; others: what the first receive or send to fail has
  // met.
  std::error_code error;
};

namespace detail {

// What the two directions and the watch share; on a blocking engine they are threads.
class relay_session {
 public:
  explicit relay_session(const relay_limits& limits) noexcept;

  // Of a direction: bytes have moved; it has ended, `why` not by the end of its stream.
  void moved() noexcept { moved_at_.store(now().time_since_epoch().count(), relaxed); }
  void ended(std::error_code why) noexcept;
  // Until both have ended or a limit is over; cancels them then.
  [[nodiscard]] task<void> watch(scope& directions);
  [[nodiscard]] std::error_code error() const noexcept;

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;
  [[nodiscard]] clock::time_point limit() const noexcept;

  const relay_limits limits_;
  const clock::time_point ends_at_;
  std::atomic<clock::rep> moved_at_;
  mutable std::mutex lock_;
  event changed_;  // a direction has ended
  int running_ = 2;
  clock::time_point half_closed_at_ = never;  // since one has ended
  std::error_code error_;
};

// Some of it where the stream can do that: each part shows that the peer reads.
template <byte_stream S>
[[nodiscard]] auto relay_some(S& to, std::span<const std::byte> bytes) {
  if constexpr (requires { to.send_some(bytes); }) return to.send_some(bytes);
  else return to.send_all(bytes);
}

template <byte_stream From, byte_stream To>
task<result<void>> relay_bytes(From& from, To& to, std::uint64_t& count, relay_session& session) {
  for (;;) {
    const auto lent = co_await from.recv_lease();
    if (!lent) co_return std::unexpected(lent.error());
    std::span<const std::byte> left = lent->bytes();
    if (left.empty()) break;
    session.moved();
    while (!left.empty()) {
      const auto sent = co_await relay_some(to, left);
      if (!sent) co_return std::unexpected(sent.error());
      session.moved();
      count += *sent;
      left = left.subspan(*sent);
    }
  }
  const auto shut = co_await to_await(to.shutdown_write());
  co_return shut;
}

template <byte_stream From, byte_stream To>
task<void> relay_direction(From& from, To& to, std::uint64_t& count, relay_session& session) {
  const auto done = co_await relay_bytes(from, to, count, session);
  session.ended(done ? std::error_code() : done.error());
}

template <byte_stream First, byte_stream Second>
task<void> relay_both(scope& directions, First& first, Second& second, relayed& out,
                      relay_session& session) {
  directions.spawn(relay_direction(first, second, out.to_second, session));
  directions.spawn(relay_direction(second, first, out.to_first, session));
  co_await session.watch(directions);
}

}  // namespace detail

// Both must outlive it, and nobody else uses them meanwhile. It closes neither: after an error the
// caller does, by closing or destroying them, and so the other side learns of it. An idle session
// holds no buffer.
template <byte_stream First, byte_stream Second>
[[nodiscard]] task<relayed> relay(First& first, Second& second, relay_limits limits = {}) {
  relayed out;
  detail::relay_session session(limits);
  co_await in_scope([&](scope& directions) {
    return detail::relay_both(directions, first, second, out, session);
  });
  out.error = session.error();
  co_return out;
}

}  // namespace iolite

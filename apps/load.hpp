// The load generator: many connections to an echo service from one thread, every byte verified.
//
// It is itself a program of this library, on the best event loop there is. Closed loop by default:
// a connection sends `depth` messages, waits for all of them, and goes on. With a rate it sends on
// a schedule, and latency counts from when a message was to be sent, so a stall is seen in full.
//
// A stall at the end is seen as well. What is in flight when time is up, and what was due but could
// not be sent, has no answer: it counts as `unanswered`, and its latency as far as it got. Answers
// are waited for a second longer, so latencies of what is in flight are often exact.
#pragma once
#include "histogram.hpp"

#include "iolite/clock.hpp"
#include "iolite/endpoint.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace iolite::app {

// A run has a beginning and an end.
inline constexpr clock::duration shortest_run{1};

struct load_options {
  endpoint to;
  unsigned connections = 64;
  std::size_t message_bytes = 64;
  unsigned depth = 1;  // messages in flight on each connection
  bool reconnect = false;  // a new connection for each exchange, reset after it
  clock::duration warm_up = clock::duration::zero();  // carried out, not counted
  clock::duration duration = std::chrono::seconds(5);
  std::uint64_t requests = 0;  // instead of the duration, so many; 0: by duration
  double rate = 0;  // requests a second over all connections; 0: as fast as it goes
  // About every 50 ms, on the thread that runs the load.
  std::function<void()> tick = {};
};

struct load_result {
  std::uint64_t requests = 0;  // answered in time, without the warm-up
  std::uint64_t unanswered = 0;  // in flight, or due and not sent, when time was up
  std::uint64_t all_requests = 0;  // the warm-up and the last ones under way included
  double seconds = 0;  // of what was counted
  histogram latency;  // of `requests` and of `unanswered`
  std::uint64_t errors = 0;
  std::string first_error;  // empty without errors
  bool interrupted = false;  // by a signal: see interruptible
  bool out_of_memory = false;  // ended early: the figures say nothing
};

// Why this process cannot hold so many connections, having raised its limit of descriptors.
[[nodiscard]] std::optional<std::string> too_many_connections(unsigned connections);

// Returns when the duration or the number of requests is over; never hangs on a silent server. Too
// little memory or too few descriptors for the connections are errors of the result.
[[nodiscard]] load_result run_load(const load_options& options);

// SIGINT and SIGTERM end a load early until this object goes; a second one ends the process.
class interruptible {
 public:
  interruptible();
  interruptible(const interruptible&) = delete;
  interruptible& operator=(const interruptible&) = delete;
  ~interruptible();
  // The signal that came, or 0.
  [[nodiscard]] static int signal() noexcept;
};

}  // namespace iolite::app

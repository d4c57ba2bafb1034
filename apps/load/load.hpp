// The load generator: many connections to a server, from one thread or several.
//
// It is itself a program of this library, on the best event loop there is. Closed loop by default:
// a connection sends `depth` messages, waits for all of them, and goes on. With a rate it sends on
// a schedule, and latency counts from when a message was to be sent, so a stall is seen in full.
//
// A stall at the end is seen as well. What is in flight when time is up, and what was due but could
// not be sent, has no answer: it counts as `unanswered`, and its latency as far as it got. Answers
// are waited for a second longer, so latencies of what is in flight are often exact.
#pragma once
#include "load/histogram.hpp"
#include "load/protocol.hpp"
#include "load/schedule.hpp"
#include "load/sizes.hpp"

#include "iolite/clock.hpp"
#include "iolite/endpoint.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace iolite::app {

// A run has a beginning and an end.
inline constexpr clock::duration shortest_run{1};

// A load while it runs.
struct live_figures {
  std::uint64_t requests = 0;  // answered since the last look
  std::uint64_t errors = 0;  // since the beginning
  histogram latency;  // of `requests`
  clock::time_point end = never;  // when it will be over
  bool counting = false;  // connections are made, ramp and warm-up are over
};

struct load_options {
  endpoint to;
  request_options request = {};
  unsigned connections = 64;
  unsigned active = 0;  // so many of them send, the others stay silent; 0: all
  unsigned slow = 0;  // so many of those send their messages in pieces, with pauses
  message_sizes sizes = {};
  unsigned depth = 1;  // messages in flight on each connection
  std::uint64_t churn = 0;  // requests until another connection takes its place; 0: never
  // Before the warm-up the load rises for so long: its rate, or the number of those that send.
  clock::duration ramp = clock::duration::zero();
  clock::duration warm_up = clock::duration::zero();  // carried out, not counted
  clock::duration duration = std::chrono::seconds(5);
  std::uint64_t requests = 0;  // instead of the duration, so many; 0: by duration
  double rate = 0;  // requests a second over all connections; 0: as fast as it goes
  arrivals arriving = arrivals::constant;
  unsigned threads = 1;
  unsigned sending_in_all = 0;  // of all threads; for run_load() itself
  // On the thread that runs the load: when all connections are made, and about once a second.
  std::function<void()> on_begin = {};
  std::function<void(const live_figures&)> on_second = {};
  // About every 50 ms, on the same thread.
  std::function<void()> tick = {};

  [[nodiscard]] unsigned sending() const noexcept { return active > 0 ? active : connections; }
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
  unsigned threads = 0;  // of the load generator
  double client_cpu_seconds = 0;  // what they used, from the first request on
  double busiest_thread = 0;  // the share of the time that one of them was running

  // So busy that it may have been the client that limited the figures.
  [[nodiscard]] bool client_was_busy() const noexcept { return busiest_thread > 0.9; }
  // What another thread has measured at the same time.
  void add(const load_result& other);
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

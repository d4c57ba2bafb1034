// What is recorded of one exchange, before anybody asks what it means. Times are those of the
// kernel's monotonic clock, which perf events use too.
#pragma once
#include "iolite/clock.hpp"
#include "kernel/calls.hpp"

#include <optional>
#include <vector>

namespace iolite::trace {

// A system call of the waiting thread.
struct call_event {
  call what;
  int fd;  // that it is about, or -1
  long result;
  clock::time_point begin, end;
  // The thread's processor time at the end: read after calls that may have waited only.
  std::optional<clock::duration> cpu;
};

// A thread of this process was taken from its processor, or given one; or has met a tracepoint.
struct switch_event {
  enum class kind : std::uint8_t {
    slept,
    preempted,
    woke,
    data_ready,  // sock:sk_data_ready
    copy_begins,  // skb:skb_copy_datagram_iovec
    copied,  // sock:sock_recv_length
  };
  clock::time_point when;
  int thread;
  kind what;
};

struct recording {
  int thread = 0;  // that waits
  int peer = 0;  // that sends
  int fd = -1;  // that it waits on
  clock::time_point started, completed;
  clock::duration cpu_started{}, cpu_completed{};  // of the thread that waits
  // How long it was ready to run and did not; nothing where the system does not say.
  std::optional<clock::duration> queued;
  std::uint64_t calls_made = 0;  // from start to completion: those that enter the kernel
  std::vector<call_event> calls;  // the last of them, in order
  bool sees_switches = false;
  std::vector<switch_event> switches;  // in order
  // When the peer called send(2) and was back, and when the kernel handed the data over.
  clock::time_point sent_before, sent_after;
  std::optional<clock::time_point> stamp;
  // In the middle of phase 1 the thread was seen asleep in a system call, or not.
  std::optional<clock::time_point> looked_at;
  std::optional<bool> seen_asleep;
};

// aio_error(3) and aio_return(3) look at memory of the C library.
[[nodiscard]] constexpr bool enters_kernel(call c) noexcept {
  return c != call::aio_error && c != call::aio_return;
}

}  // namespace iolite::trace

// What a simulated world is like: its network, its kernels, and what goes wrong. See simulate.hpp.
#pragma once
#include "iolite/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iolite::simulate {

// How long a segment or datagram takes from one host to another, chosen anew for each.
struct link {
  clock::duration latency_min = std::chrono::microseconds(50);
  clock::duration latency_max = std::chrono::milliseconds(1);
  // What is sent waits for what was sent before; 0: no limit.
  std::uint64_t bytes_per_second = 0;
};

// What goes wrong, each with its probability (0 to 1) whenever it could. All but `reset`,
// `no_memory` and `disk_error` are what a kernel or a network may do to any program at any time.
struct faults {
  double short_receive = 0;  // a receive gives a part of what is there
  double short_send = 0;  // a send takes a part
  double again = 0;  // EAGAIN although there was something; it is there a little later
  double spurious = 0;  // a socket is said to be readable, and nothing is there
  double interrupt = 0;  // EINTR
  double abort_accept = 0;  // ECONNABORTED: a connection died in the listener's queue
  double reset = 0;  // the network cuts the connection; for each segment
  double split = 0;  // a segment is cut in two
  double delay = 0;  // a segment takes up to delay_max longer, and those behind it wait
  double stall = 0;  // a program stands still for up to stall_max after a wait
  double short_file = 0;  // a read or write of a file moves a part
  double disk_error = 0;  // EIO: from reads, writes and syncs of files
  double no_memory = 0;  // ENOBUFS or ENOMEM: from socket, accept, connect and send
  double signal_overflow = 0;  // a signal of a file finds its queue full: SIGIO comes instead
  double loss = 0;  // a datagram between two hosts is lost
  double duplicate = 0;  // it arrives twice
  double reorder = 0;  // it arrives up to delay_max later, and others overtake it
  clock::duration delay_max = std::chrono::milliseconds(200);
  clock::duration stall_max = std::chrono::milliseconds(20);

  // Everything but `reset`, `no_memory` and `disk_error`, often enough that a short run meets it.
  [[nodiscard]] static faults some() noexcept;
};

// What the io_uring of this kernel lacks. Unset: the seed says, for each ring.
struct ring_features {
  bool available = true;  // or forbidden: EPERM
  std::optional<bool> defer_taskrun;  // Linux 6.1
  std::optional<bool> buffer_rings;  // 5.19
  std::optional<bool> incremental_buffers;  // 6.12: filled bit by bit
  bool coop_taskrun = true;  // 5.19
  bool ext_arg = true;  // 5.11: without it the engine cannot be made
  unsigned entries_max = 32'768;  // of the submission queue; the completion queue has twice as many
};

struct options {
  simulate::faults faults = {};
  simulate::link network = {};
  // Safety, then liveness: after so long nothing goes wrong any more, and from then on all programs
  // have `ends_within` to end.
  clock::duration faults_for = std::chrono::minutes(1);
  clock::duration ends_within = std::chrono::hours(1);
  int descriptors_max = 1024;  // of each process
  std::size_t signals_max = 1024;  // that are queued for each process: RLIMIT_SIGPENDING
  std::size_t send_buffer = 262'144;  // of TCP sockets that do not set theirs, in bytes
  std::size_t receive_buffer = 131'072;
  // Ports for sockets that bind none: none is left, EADDRNOTAVAIL.
  std::uint16_t ports_first = 32'768, ports_last = 60'999;
  ring_features rings = {};
  std::uint64_t disk_bytes = 1U << 30;  // of each host: what finds no room is ENOSPC
  clock::duration sync_max = std::chrono::milliseconds(10);  // an fsync takes so long at most
  // Directories of each disk, besides /tmp, /run, /var/lib and others that every system has.
  std::vector<std::string> directories = {};
  std::size_t trace_lines = 0;  // how many of the last entries of the trace are kept as text
  // The numbers of the faults that may happen; the others that the seed draws are held back. See
  // shrink.hpp.
  std::optional<std::vector<std::uint64_t>> only = {};
};

}  // namespace iolite::simulate

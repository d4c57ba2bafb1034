// The options of a simulated world: its network, its kernels and its faults. See simulate.hpp.
#pragma once
#include "iolite/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iolite::simulate {

// The delay of a segment or datagram between two hosts, drawn separately for each.
struct link {
  clock::duration latency_min = std::chrono::microseconds(50);
  clock::duration latency_max = std::chrono::milliseconds(1);
  // Segments queue behind earlier ones at this rate; 0: no limit.
  std::uint64_t bytes_per_second = 0;
};

// The probability (0 to 1) of each fault at each opportunity. All but `reset`, `no_memory` and
// `disk_error` are things that a kernel or network may do to any program at any time.
struct faults {
  double short_receive = 0;  // a receive returns a part of the available data
  double short_send = 0;  // a send accepts a part
  double again = 0;  // EAGAIN although data is available; it can be read a little later
  double spurious = 0;  // a socket is reported as readable although it is empty
  double interrupt = 0;  // EINTR
  double abort_accept = 0;  // ECONNABORTED: a connection died in the listener's queue
  double reset = 0;  // the network resets the connection; drawn for each segment
  double split = 0;  // a segment is split in two
  double delay = 0;  // a segment takes up to delay_max longer, and those behind it wait
  double stall = 0;  // a program pauses for up to stall_max after a wait
  double short_file = 0;  // a read or write of a file transfers a part
  double disk_error = 0;  // EIO from reads, writes and syncs of files
  double no_memory = 0;  // ENOBUFS or ENOMEM from socket, accept, connect and send
  double signal_overflow = 0;  // the signal queue of a process is full: SIGIO comes instead
  double loss = 0;  // a datagram between two hosts is lost
  double duplicate = 0;  // it arrives twice
  double reorder = 0;  // it arrives up to delay_max later and is overtaken
  clock::duration delay_max = std::chrono::milliseconds(200);
  clock::duration stall_max = std::chrono::milliseconds(20);

  // Every fault except `reset`, `no_memory` and `disk_error`, at rates that a short run meets.
  [[nodiscard]] static faults some() noexcept;
};

// The features of the simulated io_uring. An unset one is drawn by the seed for each ring.
struct ring_features {
  bool available = true;  // or forbidden: EPERM
  std::optional<bool> defer_taskrun;  // Linux 6.1
  std::optional<bool> buffer_rings;  // 5.19
  std::optional<bool> incremental_buffers;  // 6.12: IOU_PBUF_RING_INC
  bool coop_taskrun = true;  // 5.19
  bool ext_arg = true;  // 5.11: the engine requires it
  unsigned entries_max = 32'768;  // of the submission queue; the completion queue has twice as many
};

struct options {
  simulate::faults faults = {};
  simulate::link network = {};
  // Safety first, then liveness: faults stop after `faults_for`, and from then on all programs must
  // end within `ends_within`.
  clock::duration faults_for = std::chrono::minutes(1);
  clock::duration ends_within = std::chrono::hours(1);
  int descriptors_max = 1024;  // of each process
  std::size_t signals_max = 1024;  // queued for each process: RLIMIT_SIGPENDING
  std::size_t send_buffer = 262'144;  // of TCP sockets that do not set theirs, in bytes
  std::size_t receive_buffer = 131'072;
  // The range of ephemeral ports. When none is left: EADDRNOTAVAIL.
  std::uint16_t ports_first = 32'768, ports_last = 60'999;
  ring_features rings = {};
  std::uint64_t disk_bytes = 1U << 30;  // the size of each host's disk: ENOSPC beyond it
  clock::duration sync_max = std::chrono::milliseconds(10);  // the longest fsync
  // Extra directories of each disk, besides those of every system (/tmp, /run, /var/lib, ...).
  std::vector<std::string> directories = {};
  std::size_t trace_lines = 0;  // how many of the last trace entries are kept as text
  // The numbers of the faults that may happen; all others that the seed draws are suppressed. See
  // shrink.hpp.
  std::optional<std::vector<std::uint64_t>> only = {};
};

}  // namespace iolite::simulate

// How an engine is made: see make_engine() in models.hpp, and serve_options::engine. Each engine
// reads what concerns it.
#pragma once
#include "iolite/clock.hpp"

#include <cstddef>
#include <cstdint>

namespace iolite {

struct engine_options {
  // nonblocking: what to do after a pass over all descriptors that found nothing.
  enum class idle : std::uint8_t { spin, yield, sleep };
  idle when_idle = idle::yield;
  // Event loops: how long to poll before sleeping, while that pays off. It trades processor time
  // for latency where few connections are busy. See engine::spin_before_sleeping().
  clock::duration spin = clock::duration::zero();
  // The most memory for the leases of recv_lease(), in bytes: 1 MiB to 4 GiB for each engine or, on
  // `blocking`, for each task. It is allocated on demand in steps of 4 MiB. See buffer.hpp.
  std::size_t lease_memory = std::size_t{64} * 1024 * 1024;
  unsigned ring_entries = 256;  // io_uring: submissions per turn; more take several calls
  // io_uring: how receives reach the kernel. `each`: one submission for each receive. `multishot`:
  // one multishot submission (Linux 6.0) delivers message after message, also before they are asked
  // for; these wait in the engine for the next receive, see stream::release(). `observed`: a
  // connection switches to multishot after several receives in a row had to wait, and as long as
  // its messages are small.
  enum class receiving : std::uint8_t { observed, each, multishot };
  receiving receives = receiving::observed;
  // io_uring, Linux 6.8: the size of a table of direct descriptors, up to RLIMIT_NOFILE; 0: off.
  // Accepted and connected sockets take a slot of this table instead of a descriptor of the
  // process. A pending accept holds a slot; without a free one it fails with ENFILE. System calls
  // do not know such a native_handle(): see system_descriptor.hpp. A connection that moves to its
  // own thread or process has an ordinary descriptor.
  unsigned direct_descriptors = 0;
};

}  // namespace iolite

// Every I/O model there is, whether this machine allows it, and which one `auto` takes.
//
// A model is written ENGINE[/PLACEMENT]: how bytes are moved, and who runs a connection.
//   engines     blocking nonblocking select poll epoll kqueue signal posix_aio io_uring auto
//   placements  shared thread process pool prefork
// `epoll` alone means epoll/shared, `blocking` alone means blocking/thread.
#pragma once
#include "iolite/engine.hpp"
#include "iolite/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace iolite {

enum class placement : std::uint8_t {
  shared,   // every connection on the accepting loop
  thread,   // a thread each
  process,  // a process each: nothing is shared, a crash harms nobody else
  pool,     // N threads, each with its own engine and listener; blocking: N workers, one queue
  prefork,  // N processes, each with its own engine and listener
};
[[nodiscard]] std::string_view name_of(placement p) noexcept;

struct model_info {
  std::string model;     // "epoll/pool"
  std::string engine;    // "epoll"
  iolite::placement placement;
  std::string shape;     // "blocking", "readiness" or "completion"
  bool available;
  std::string reason;    // why not, and what to do; empty where available
  std::vector<std::string> features;  // optional kernel features that are live
};

// Every model, in the order of the names above; asks the system once a process.
[[nodiscard]] std::vector<model_info> models();

struct availability {
  bool ok = false;
  int error = 0;        // the errno behind the reason
  std::string reason;   // one line a person can act on; empty where ok
};
// Of an engine by name. std::errc::invalid_argument in `error` for a name that does not exist.
[[nodiscard]] availability available(std::string_view engine);

struct model_choice {
  std::string model;   // "epoll/shared": never "auto"
  std::string engine;
  iolite::placement placement = placement::shared;
  std::string why;     // one line: what was asked for, what was taken, why not something better
};
// Turns a name into a model that works here. `auto` (or "auto/PLACEMENT") takes io_uring where it
// is available and its self-test passes, else epoll, kqueue, poll, select; the environment variable
// IOLITE_MODEL says what `auto` means. It falls back only from what this system does not have or
// refuses, never for want of memory or descriptors. A name asked for explicitly never falls back.
[[nodiscard]] std::expected<model_choice, error> choose(std::string_view model = "auto");

struct engine_options {
  // nonblocking: what to do when everyone was asked in vain.
  enum class idle : std::uint8_t { spin, yield, sleep };
  idle when_idle = idle::yield;
  // Event loops: ask again for so long before sleeping, while that pays; a lower latency where few
  // connections are busy, for processor time. See engine::spin_before_sleeping().
  clock::duration spin = clock::duration::zero();
  // How much memory the leases of recv_lease() may take, in bytes: 1 MiB to 4 GiB, for each engine,
  // and on `blocking` for each task. It is taken in steps of 4 MiB, when needed. See buffer.hpp.
  std::size_t lease_memory = std::size_t{64} * 1024 * 1024;
  unsigned ring_entries = 256;  // io_uring: submissions a turn; more go in several calls
  // io_uring: how receives reach the kernel. `each`: by themselves, once they are asked for.
  // `standing`: one submission brings message after message, also such as nobody has asked for yet
  // (multishot, Linux 6.0); they are kept for who asks, see stream::release(). `observed`: a
  // connection's stand once several in a row had to wait, and while its messages are small.
  enum class receiving : std::uint8_t { observed, each, standing };
  receiving receives = receiving::observed;
  // io_uring, Linux 6.8: accepted and connected sockets take one of so many places in a table of
  // the engine's own, and none of those that RLIMIT_NOFILE allows a process; each table may be as
  // large as that limit. 0: off. An accept that waits holds a place; none free is ENFILE.
  // native_handle() then means nothing to system calls: see system_descriptor.hpp. Where a
  // connection moves to a thread or process of its own, it has an ordinary descriptor.
  unsigned direct_descriptors = 0;
};
// An engine for the calling thread; `name` as in choose(), a placement is ignored.
[[nodiscard]] std::expected<std::unique_ptr<engine>, error>
make_engine(std::string_view name = "auto", const engine_options& options = {});

}  // namespace iolite

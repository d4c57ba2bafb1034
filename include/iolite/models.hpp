// The I/O models: which exist, which work on this machine, and which one `auto` takes.
//
// A model is written ENGINE[/PLACEMENT]. The engine is how bytes move; the placement is who runs a
// connection.
//   engines     blocking nonblocking select poll epoll kqueue signal posix_aio io_uring auto
//   placements  shared thread process pool prefork
// `epoll` alone means epoll/shared, `blocking` alone means blocking/thread.
#pragma once
#include "iolite/core/engine.hpp"
#include "iolite/core/engine_options.hpp"
#include "iolite/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace iolite {

enum class placement : std::uint8_t {
  shared,   // every connection on the accepting loop
  thread,   // one thread per connection
  process,  // one process per connection: nothing is shared, a crash ends that one only
  pool,     // N threads, each with its own engine and listener; blocking: N workers, one queue
  prefork,  // N processes, each with its own engine and listener
};
[[nodiscard]] std::string_view name_of(placement p) noexcept;

// One model, and whether it works on this system.
struct model_info {
  std::string model;     // "epoll/pool"
  std::string engine;    // "epoll"
  iolite::placement placement;
  std::string shape;     // "blocking", "readiness" or "completion"
  bool available;
  std::string reason;    // why it is unavailable and what to do about it; empty if available
  std::vector<std::string> features;  // optional kernel features in use
};

// Every model, in the order of the names above. The system is probed once per process.
[[nodiscard]] std::vector<model_info> models();

// Whether something works here, or why not.
struct availability {
  bool ok = false;
  int error = 0;        // the errno behind the reason
  std::string reason;   // one line that a person can act on; empty if ok
};
// The availability of an engine. `error` is EINVAL for a name that does not exist.
[[nodiscard]] availability available(std::string_view engine);

// The model that a name was resolved to.
struct model_choice {
  std::string model;   // "epoll/shared": never "auto"
  std::string engine;
  iolite::placement placement = placement::shared;
  std::string why;     // one line: what was requested, what was chosen, why nothing better
};
// Resolves a name to a model that works here. `auto` (or "auto/PLACEMENT") takes io_uring if it is
// available and its self-test passes, else the first of epoll, kqueue, poll and select; the
// environment variable IOLITE_MODEL overrides what `auto` means. `auto` falls back only from a
// facility that this system lacks or refuses, never for want of memory or descriptors. An explicit
// name never falls back.
[[nodiscard]] std::expected<model_choice, error> choose(std::string_view model = "auto");

// Makes an engine for the calling thread. `name` is as in choose(); a placement is ignored.
// In a program of a simulated world it runs on that world's kernel, and `auto` is epoll.
[[nodiscard]] std::expected<std::unique_ptr<engine>, error>
make_engine(std::string_view name = "auto", const engine_options& options = {});

}  // namespace iolite

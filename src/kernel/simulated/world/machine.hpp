// What everything in one simulated world shares: time, chance, turns, the network, the trace.
#pragma once
#include "kernel/simulated/processes/signals.hpp"
#include "kernel/simulated/strands/baton.hpp"
#include "kernel/simulated/world/fault_draws.hpp"
#include "kernel/simulated/world/network.hpp"
#include "kernel/simulated/world/random.hpp"
#include "kernel/simulated/world/timeline.hpp"
#include "kernel/simulated/world/trace.hpp"

#include <optional>

namespace iolite::simulated {

// How often things go wrong: so many times in a million.
struct fault_rates {
  std::array<std::uint32_t, fault_kinds> in_a_million{};
  clock::duration delay_max = std::chrono::milliseconds(200);  // of a segment
  clock::duration stall_max = std::chrono::milliseconds(20);   // of a program after a wait

  [[nodiscard]] std::uint32_t of(fault_kind k) const noexcept {
    return in_a_million[static_cast<std::size_t>(k)];
  }
};

// What its io_urings can do; unset: the seed says, for each ring.
struct ring_features {
  bool available = true;
  std::optional<bool> defer_taskrun, buffer_rings, incremental_buffers;
  bool coop_taskrun = true, ext_arg = true;
  unsigned entries_max = 32768;
};

struct site;

struct machine {
  explicit machine(std::uint64_t seed)
      : random(seed), time(random), draws(seed), turns(time, random) {}

  random_source random;
  timeline time;
  trace_log trace;
  fault_rates faults;
  fault_draws draws;
  clock::time_point faults_until = never;
  network net;
  baton turns;
  long threads = 0;  // that processes have started
  std::vector<std::string> process_names;  // by number
  ring_features rings;
  const site* awake = nullptr;  // whose program runs, and does not wait

  // Nothing happens any more: what events and closed sockets hold is let go. Before its processes
  // are destroyed.
  void end() {
    time.clear();
    net.lingering.clear();
  }

  // The host loses its memory: nobody is told, its sockets are gone, its disk keeps what it must.
  void crash(host& h);
  // Does it go wrong now? Counts, and writes it down.
  bool goes_wrong(fault_kind k, unsigned who) {
    if (time.now() >= faults_until) return false;
    const std::uint64_t number = draws.draw(k, who, faults.of(k));
    if (number != 0) happens(number, who, k);
    return number != 0;
  }
  void happens(std::uint64_t number, unsigned who, fault_kind k) {
    trace.injected(time.elapsed(), who, k);
    draws.all.push_back({number, time.elapsed(), who, k});
  }
};

// Where a file belongs to: a process on a host. `version` changes whenever one of its files does,
// so that waits know when to look again. Processes that share files share it: a process and its
// descendants.
struct site {
  site(machine& m, host& h, unsigned n, std::uint64_t& v)
      : world(m), at(h), number(n), version(v), signals(100 + int(n)) {}
  machine& world;
  host& at;
  const unsigned number;
  std::uint64_t& version;
  signal_table signals;
  // Its programs stand still; `never`: the host has crashed.
  clock::time_point held_until = timeline::start;
  [[nodiscard]] bool is_held() const noexcept { return world.time.now() < held_until; }
};

// A program or the library has done what no run can go on after.
[[noreturn]] void stop(const char* why) noexcept;

}  // namespace iolite::simulated

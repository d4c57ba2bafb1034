// What happened in a run, and a hash of it: two runs are the same if their hashes are. Nothing that
// differs between runs of one seed goes in: no addresses, no real times.
#pragma once
#include "iolite/clock.hpp"
#include "kernel/calls.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <string>

namespace iolite::simulated {

// What can be made to go wrong, as the trace and the counters name it. New ones come last: faults
// have numbers by which runs are repeated.
enum class fault_kind : std::uint8_t {
  short_receive,
  short_send,
  again,
  spurious,
  interrupt,
  abort_accept,
  reset,
  split,
  delay,
  stall,
  signal_overflow,
  short_file,
  disk_error,
  no_memory,
  planned,  // by the program that made the world
  loss,
  duplicate,
  reorder,
  short_submission,
};
inline constexpr std::array fault_names = {
    std::string_view("short_receive"),
    std::string_view("short_send"),
    std::string_view("again"),
    std::string_view("spurious"),
    std::string_view("interrupt"),
    std::string_view("abort_accept"),
    std::string_view("reset"),
    std::string_view("split"),
    std::string_view("delay"),
    std::string_view("stall"),
    std::string_view("signal_overflow"),
    std::string_view("short_file"),
    std::string_view("disk_error"),
    std::string_view("no_memory"),
    std::string_view("planned"),
    std::string_view("loss"),
    std::string_view("duplicate"),
    std::string_view("reorder"),
    std::string_view("short_submission"),
};
inline constexpr std::size_t fault_kinds = fault_names.size();

class trace_log {
 public:
  static constexpr long none = -1;

  // A call of process `who` on `fd` (none: on no descriptor), and what it gave.
  void called(clock::duration when, unsigned who, call what, long fd, long gave);
  // A fault has taken effect.
  void injected(clock::duration when, unsigned who, fault_kind what);
  // Something in the network or the world, in words.
  void noted(clock::duration when, std::string_view what);

  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  [[nodiscard]] std::uint64_t faults(fault_kind k) const noexcept {
    return faults_[static_cast<std::size_t>(k)];
  }
  // How many of the last entries are kept as text.
  void keep(std::size_t entries) noexcept { kept_max_ = entries; }
  // A line each, the oldest first; `name` gives a process's name.
  template <class Name>
  [[nodiscard]] std::string text(Name name) const {
    std::string out;
    for (const entry& e : kept_) out += line(e, e.kind == sort::note ? "" : name(e.who)) + "\n";
    return out;
  }

 private:
  enum class sort : std::uint8_t { call, fault, note };
  struct entry {
    clock::duration when{};
    sort kind{};
    std::uint8_t what = 0;
    unsigned who = 0;
    long fd = none, gave = 0;
    std::string words;
  };
  void add(entry e);
  void mix(std::uint64_t word) noexcept;
  [[nodiscard]] static std::string line(const entry& e, const std::string& name);

  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::uint64_t calls_ = 0;
  std::array<std::uint64_t, fault_kinds> faults_{};
  std::size_t kept_max_ = 0;
  std::deque<entry> kept_;
};

}  // namespace iolite::simulated

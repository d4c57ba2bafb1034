// Runs programs that use this library in a simulated world, with virtual time, a network that is
// slow and fails, and a schedule that a seed chooses. The engines, tasks and servers are the real
// ones. A seed replays exactly.
//
//   iolite::simulate::world w(seed, {.faults = iolite::simulate::faults::some()});
//   const auto server = w.add_host("server"), client = w.add_host("client");
//   w.serve(server, echo, {.model = "epoll", .listen = {server.at(7000)}});
//   w.run(client, "poll", [&] { return talk_to(server.at(7000)); });
//   const auto r = w.finish();
//   if (!r.ok()) std::puts(r.to_string().c_str());
//
// A program is a task with its own engine, in its own process on a host. It uses no real socket,
// clock or sleep: an hour of sleeping takes milliseconds. Programs take turns on the thread that
// uses the world, so memory that they share needs no lock.
//
// Models: nonblocking, select, poll, epoll, signal, blocking and io_uring; servers with every
// placement. The children of `process` and `prefork` are processes with their own descriptors,
// signals and threads; unlike after fork(2) they share memory with their parent. posix_aio is not
// simulated, and a program that requests it is told so.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/serve.hpp"
#include "iolite/simulate/options.hpp"
#include "iolite/task.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iolite::simulate {

// A fault that has happened.
struct injected_fault {
  // The same in every run of a seed, whichever other faults are suppressed: it encodes the kind,
  // the program, and the program's count of opportunities for that kind.
  std::uint64_t number;
  std::string what;  // short_receive; or the name given to fault_at()
  std::string program;  // the program that it hits; empty for those of fault_at()
  clock::duration when;
};

// An operation that was still pending when a run ended before its programs did.
struct waiting {
  std::string program;
  std::string operation;  // recv fd=7 0/4096 deadline=+3ms: see operation.hpp
  std::string on;  // 10.0.0.2:40112 to 10.0.0.1:7000
  clock::duration since;  // when it was started
};

enum class ending : std::uint8_t {
  finished,  // every program has ended
  holds,  // run_until(): the condition holds
  time_is_up,  // it exceeded its time limit or 20 million system calls
  dead_lock,  // programs wait, and no event can ever end a wait
};

// How a run of a world ended.
struct report {
  ending how = ending::finished;
  std::uint64_t seed = 0;
  clock::duration elapsed{};  // virtual
  std::uint64_t hash = 0;  // of the trace: equal for equal seeds
  std::uint64_t calls = 0;  // system calls of all programs
  std::vector<simulate::waiting> waiting;  // dead_lock, time_is_up: what each program waits for
  std::vector<std::string> failures;  // programs that threw or could not start
  std::vector<std::string> leaks;  // descriptors that a program left open when it ended
  std::vector<std::pair<std::string, std::uint64_t>> faults;  // how many happened, by name
  std::vector<injected_fault> injected;  // finish(): each fault that happened

  [[nodiscard]] bool ok() const noexcept {
    return (how == ending::finished || how == ending::holds) && failures.empty() && leaks.empty();
  }
  [[nodiscard]] std::uint64_t faults_injected() const noexcept;
  // The whole report as text.
  [[nodiscard]] std::string to_string() const;
};

// A host of a world.
class host {
 public:
  // Its address with `port`, as endpoint::parse() and serve_options::listen take it.
  [[nodiscard]] std::string at(std::uint16_t port) const;

 private:
  friend class world;
  host(std::size_t index, std::string ip) : index_(index), ip_(std::move(ip)) {}
  std::size_t index_;
  std::string ip_;
};

// Throws std::runtime_error if `holds` is false, which ends the program and adds it to
// report::failures.
void check(bool holds, std::string_view what);

// Used by one thread. Everything that its programs refer to must outlive it.
class world {
 public:
  explicit world(std::uint64_t seed, const options& o = {});
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world();

  // Adds a host with the address 10.0.0.N. Throws std::runtime_error after 250 hosts.
  host add_host(std::string_view name);
  // Adds a program, which starts once the world runs and all servers listen. An empty `name` means
  // that of the host.
  void run(const host& on, std::string_view model, std::function<task<void>()> program,
           std::string_view name = {});
  // Adds a server, which is stopped when all programs have ended. The options `stop` and
  // `allow_public` have no effect here. `ended` is called with what serve() returns, on the
  // server's thread; without it an error is a failure of the run.
  using served = std::expected<serve_report, error>;
  void serve(const host& on, handler h, serve_options o, std::string_view name = {},
             std::function<void(const served&)> ended = {});

  // --- plans: immediate, or from an action that at() schedules. An action belongs to no program
  // and reads elapsed() instead of clock::now() ---
  void at(clock::duration since_start, std::function<void()> action);
  // The same for a planned fault, which has a number like every fault and may be suppressed.
  void fault_at(clock::duration since_start, std::string what, std::function<void()> action);
  void set_faults(const faults& f);
  void set_link(const host& a, const host& b, const link& l);
  // Stops or resumes delivery from one host to the other.
  void block(const host& from, const host& to, bool on = true);
  void partition(const host& a, const host& b, bool on = true);
  // Alternates between connected for `up` and partitioned for `down`, until options::faults_for.
  void flap(const host& a, const host& b, clock::duration up, clock::duration down);
  // Stops its programs for good at their next wait without telling anyone: peers hear nothing until
  // the host restarts, and then get resets. Data that its disk has not synced is lost, except for a
  // part that the seed chooses. The programs are cancelled when the run has been reported.
  void crash(const host& h);
  // Brings a crashed host back: the programs that ran there start again.
  void restart(const host& h);
  // Pauses its programs for `length`, like a machine that is suspended or overcommitted.
  void stall(const host& h, clock::duration length);
  // kill(2) from outside, to the programs of that name or to the process group of each: the program
  // and the children that it has forked. Ctrl-C is SIGINT to a group. A program that a signal kills
  // is among report::failures.
  enum class recipients : std::uint8_t { process, group };
  void signal(std::string_view program, int number, recipients to = recipients::process);
  // Moves its clock forward. Before the run this sets where the clock starts.
  void leap(const host& h, clock::duration by);

  // Runs until all programs have ended, then drains the servers. What cannot end is cancelled.
  [[nodiscard]] report finish();
  // These runs can be continued; call finish() at the end.
  report run_for(clock::duration length);
  report run_until(const std::function<bool()>& holds,
                   clock::duration at_most = std::chrono::hours(1));
  // Handles one event of the network or of a plan, or runs one program until it waits. False:
  // nothing can happen any more. Servers keep running; call finish() at the end.
  bool step();

  [[nodiscard]] clock::duration elapsed() const noexcept;
  // The last options::trace_lines entries of the trace.
  [[nodiscard]] std::string trace() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace iolite::simulate

// Runs programs that use this library in a simulated world: virtual time, a network that is slow
// and breaks, an order that a seed chooses. The engines, tasks and servers are the real ones; what
// a seed shows, it shows again.
//
//   iolite::simulate::world w(seed, {.faults = iolite::simulate::faults::some()});
//   const auto server = w.add_host("server"), client = w.add_host("client");
//   w.serve(server, echo, {.model = "epoll", .listen = {server.at(7000)}});
//   w.run(client, "poll", [&] { return talk_to(server.at(7000)); });
//   const auto r = w.finish();
//   if (!r.ok()) std::puts(r.to_string().c_str());
//
// A program is a task on an engine of its own, in a process of its own on a host. Nothing real is
// touched: no socket, no time, no sleep. An hour of sleeping takes milliseconds. Programs take
// turns on the thread that uses the world; what they share with each other needs no lock.
//
// Models: nonblocking, select, poll, epoll, signal, blocking and io_uring; servers with every
// placement. The children of `process` and `prefork` are processes of their own, with descriptors,
// signals and threads to themselves; memory they share with their parent, unlike after fork(2). Not
// simulated: posix_aio. A program that tries is told so.
#pragma once
#include "iolite/clock.hpp"
#include "iolite/serve.hpp"
#include "iolite/simulate_options.hpp"
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
  // The same in every run of a seed, whichever others are held back: it stands for a kind, a
  // program, and how manieth of that kind the program meets.
  std::uint64_t number;
  std::string what;  // short_receive; or as fault_at() has named it
  std::string program;  // whom it hits; empty for those of fault_at()
  clock::duration when;
};

// One operation that is not over when a run ends before its programs do.
struct waiting {
  std::string program;
  std::string operation;  // recv fd=7 0/4096 deadline=+3ms: see operation.hpp
  std::string on;  // 10.0.0.2:40112 to 10.0.0.1:7000
  clock::duration since;  // when it was started
};

enum class ending : std::uint8_t {
  finished,  // every program has ended
  holds,  // run_until(): the condition holds
  time_is_up,  // it took longer than it may, or 20 million system calls
  dead_lock,  // programs wait, and nothing can ever happen again
};

struct report {
  ending how = ending::finished;
  std::uint64_t seed = 0;
  clock::duration elapsed{};  // virtual
  std::uint64_t hash = 0;  // of the trace: the same seed gives the same one
  std::uint64_t calls = 0;  // system calls of all programs
  std::vector<simulate::waiting> waiting;  // dead_lock, time_is_up: who waits for what
  std::vector<std::string> failures;  // programs that threw, or could not begin
  std::vector<std::string> leaks;  // descriptors that an ended program left open
  std::vector<std::pair<std::string, std::uint64_t>> faults;  // that happened, by name
  std::vector<injected_fault> injected;  // finish(): the same one by one

  [[nodiscard]] bool ok() const noexcept {
    return (how == ending::finished || how == ending::holds) && failures.empty() && leaks.empty();
  }
  [[nodiscard]] std::uint64_t faults_injected() const noexcept;
  // All of it, for a person.
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

// Throws std::runtime_error: a program whose check fails ends, and is among report::failures.
void check(bool holds, std::string_view what);

// Used by one thread. Everything its programs refer to outlives it.
class world {
 public:
  explicit world(std::uint64_t seed, const options& o = {});
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world();

  // With the address 10.0.0.N; std::runtime_error after 250 hosts.
  host add_host(std::string_view name);
  // Starts when the world runs on, and all servers listen.
  // `name` is the host's if it is empty.
  void run(const host& on, std::string_view model, std::function<task<void>()> program,
           std::string_view name = {});
  // serve(), stopped when all programs have ended. Of the options `stop` and `allow_public` mean
  // nothing here.
  // `ended` gets what serve() returns, on the server's thread; without it an error is a failure of
  // the run.
  using served = std::expected<serve_report, error>;
  void serve(const host& on, handler h, serve_options o, std::string_view name = {},
             std::function<void(const served&)> ended = {});

  // --- plans: now, or from an action that at() puts at a time. An action belongs to no program: it
  // reads elapsed(), not clock::now() ---
  void at(clock::duration since_start, std::function<void()> action);
  // The same for what goes wrong by plan: it has a number as every fault, and may be held back.
  void fault_at(clock::duration since_start, std::string what, std::function<void()> action);
  void set_faults(const faults& f);
  void set_link(const host& a, const host& b, const link& l);
  // Nothing gets from one to the other any more, or again.
  void block(const host& from, const host& to, bool on = true);
  void partition(const host& a, const host& b, bool on = true);
  // Open for `up`, cut for `down`, and so on, until options::faults_for is over.
  void flap(const host& a, const host& b, clock::duration up, clock::duration down);
  // Its programs stand still at their next wait, for good, and nobody is told: peers hear nothing
  // until it is back, and resets then. What its disk has not synced is lost, but for a part that
  // the seed saves. They are cancelled when the run is over and reported.
  void crash(const host& h);
  // It is back: what ran there when it crashed begins anew.
  void restart(const host& h);
  // Its programs stand still for so long: a machine that is suspended, or busy with another.
  void stall(const host& h, clock::duration length);
  // kill(2) from outside: to the programs of that name, or to the group of each, which is a program
  // with the children it has forked. Ctrl-C is a SIGINT to a group. A program that a signal ends is
  // among report::failures.
  enum class recipients : std::uint8_t { process, group };
  void signal(std::string_view program, int number, recipients to = recipients::process);
  // Its clock leaps forward. Before the run: where the clock begins.
  void leap(const host& h, clock::duration by);

  // Until all programs have ended; then servers drain. What cannot end is cancelled.
  [[nodiscard]] report finish();
  // These go on later: finish() at the end.
  report run_for(clock::duration length);
  report run_until(const std::function<bool()>& holds,
                   clock::duration at_most = std::chrono::hours(1));
  // One event of the network or of a plan, or one turn of one program, until it waits. False:
  // nothing can happen any more. Servers are not stopped: finish() at the end.
  bool step();

  [[nodiscard]] clock::duration elapsed() const noexcept;
  // The last entries: options::trace_lines.
  [[nodiscard]] std::string trace() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace iolite::simulate

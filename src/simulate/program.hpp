// One program of a world: its process, its engine while it runs, how it ended.
#pragma once
#include "iolite/serve.hpp"
#include "iolite/simulate.hpp"
#include "kernel/simulated/processes/process.hpp"
#include "kernel/thread_state.hpp"

#include <deque>

namespace iolite::simulate {

class program final : public simulated::process::listener {
 public:
  program(simulated::machine& m, simulated::host& at, std::string name, int descriptors_max);

  // By the program itself.
  void run_task(std::string_view model, const std::function<task<void>()>& body);
  void run_server(handler h, serve_options o,
                  const std::function<void(const world::served&)>& ended);

  void about_to_wait() override;
  clock::time_point next_deadline() override;
  void thread_ends() override;

  // --- while it stands still ---
  // Its operations in flight.
  void tell(std::vector<waiting>& out) const;
  void tell_leaks(std::vector<std::string>& out) const;
  // Asks it to end: a server by itself, or all its operations.
  void stop() noexcept { stop_.request(); }
  void cancel() noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] simulated::process& os() noexcept { return os_; }

  bool over = false;
  bool is_server = false;
  bool listens = false;  // a server

 private:
  // When an engine had started how many operations: an operation's tag is its number, cut to 16
  // bits, so that this tells since when it waits, and the engine pays nothing for it. For one that
  // 65,535 later ones have passed it tells too late a time.
  struct mark {
    std::uint64_t started;
    clock::duration when;
  };
  // A thread that waits, perhaps of a child, and the engine that it runs.
  struct waiter {
    const thread_state* thread;
    simulated::process* os;
    engine* on = nullptr;
    std::deque<mark> marks;

    void mark_now(clock::duration when);
    [[nodiscard]] clock::duration started_at(const operation& op) const;
  };
  waiter& this_waiter();
  template <class Visit>
  static void each_operation(const engine& of, Visit visit);

  const std::string name_;
  simulated::machine& world_;
  simulated::process os_;
  serve_stop stop_;
  std::string failure_;
  std::vector<waiter> waiters_;
  bool cancelled_ = false;
};

}  // namespace iolite::simulate

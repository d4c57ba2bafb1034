// What stands behind the selector's C functions: see selector_core.cpp for how it works, and
// <iolite/selector.h> for what it promises.
#pragma once
#include "iolite/selector.h"
#include "models/registry.hpp"
#include "pollers/poller.hpp"
#include "pollers/wake_descriptor.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace iolite {

// A descriptor as it is watched; its number is its index in the table.
struct watched {
  void* data = nullptr;
  std::uint64_t decided = 0;  // the turn in which `ready` was found
  std::uint64_t reported = 0;  // the last turn that reported it
  std::uint32_t generation = 0;
  interest wanted = interest::none;  // none: not watched
  interest ready = interest::none;
  bool queued = false;
  bool dead = false;  // closed without a remove
  bool in_poller = false;
  bool fired = false;  // oneshot, reported
  int next = -1, prev = -1;  // in the queue
};

// "signal:40" is the facility "signal" with number 40, "nonblocking:spin" one that does not yield.
struct facility {
  const poller_entry* entry = nullptr;
  poller_options options;
};

class selector_core {
 public:
  selector_core(kernel& os, const facility& f) noexcept : os_(os), facility_(f) {}
  selector_core(const selector_core&) = delete;
  selector_core& operator=(const selector_core&) = delete;
  ~selector_core();
  int open();
  bool works() noexcept;

  int add(int fd, unsigned events, void* data);
  int modify(int fd, unsigned events, void* data) noexcept;
  int remove(int fd) noexcept;
  int wait(iolite_ready* out, int max, std::int64_t timeout_ns) noexcept;
  int wake() noexcept;
  [[nodiscard]] const poller& facility_poller() const noexcept { return *poller_; }
  [[nodiscard]] const poller_entry& entry() const noexcept { return *facility_.entry; }

 private:
  [[nodiscard]] int check(unsigned events) const noexcept;
  [[nodiscard]] watched* find(int fd) noexcept;
  [[nodiscard]] watched& at(int fd) noexcept { return table_[static_cast<std::size_t>(fd)]; }
  [[nodiscard]] watch_token token(int fd) noexcept { return {fd, at(fd).generation}; }
  void enqueue(int fd) noexcept;
  void dequeue(int fd) noexcept;

  int ask(clock::duration timeout) noexcept;
  int ask_for_more(iolite_ready* out, int room) noexcept;
  int report(iolite_ready* out, int max) noexcept;
  int look(int at_least) noexcept;
  void not_ready(int fd) noexcept;
  void bury(int fd) noexcept;
  void start_anew() noexcept;
  bool take_wake() noexcept;

  // Set once.
  kernel& os_;
  const facility facility_;
  poller_traits traits_;
  std::unique_ptr<wake_descriptor> wake_;  // since open()

  // The one thread that uses it.
  std::unique_ptr<poller> poller_;
  std::vector<watched> table_;
  std::uint32_t generation_ = 0;  // 0 is the wake-up descriptor's
  std::uint64_t turn_ = 0;  // of wait()
  int first_ = -1, last_ = -1, queued_count_ = 0;
  std::vector<pollfd> look_;

  // Any thread.
  std::atomic<bool> woken_ = false;
  static_assert(std::atomic<bool>::is_always_lock_free);  // for signal handlers
};

}  // namespace iolite

struct iolite_selector final : iolite::selector_core {
  using selector_core::selector_core;
};

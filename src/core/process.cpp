// See process.hpp. pthread_atfork(3).
#include "core/process.hpp"

#include "kernel/calls.hpp"

#include <pthread.h>
#include <utility>

namespace iolite {

unsigned detail::forks = 0;

namespace {

constinit process_lock* first = nullptr;

}  // namespace

process_lock::process_lock() noexcept : next_(std::exchange(first, this)) {}

struct held_over_fork {
  static void take() noexcept {
    for (process_lock* l = first; l; l = l->next_) l->it_.lock();
  }
  static void give() noexcept {
    for (process_lock* l = first; l; l = l->next_) l->it_.unlock();
  }
  static void give_in_child() noexcept {
    ++detail::forks;
    give();
  }
  // Before fork(2) the last handlers come first. The lock of the counters of calls is taken by who
  // holds one of these, so its handlers are to be there already.
  static int watch() noexcept {
    static_cast<void>(calls_of_process());
    return ::pthread_atfork(take, give, give_in_child);
  }
};

namespace {

[[maybe_unused]] const int watching = held_over_fork::watch();

}  // namespace

}  // namespace iolite

// What a child of fork(2) must not inherit: a lock in the hands of a thread that it does not have.
#include "core/process.hpp"
#include "support/child.hpp"
#include "support/sanitizers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace iolite_test {
namespace {

iolite::process_lock lock;

// The other thread holds it nearly always, so a child that inherits it waits in vain soon.
TEST(processes, a_lock_is_free_in_a_child_of_fork_whoever_holds_it) {
  if (thread_sanitizer) GTEST_SKIP() << "the sanitizer allows no threads after a fork with threads";
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> held = 0;
  std::thread other([&] {
    while (!stop) {
      lock.lock();
      for (int i = 0; i < 1000; ++i) ++held;
      lock.unlock();
      std::this_thread::yield();
    }
  });
  while (held == 0) std::this_thread::yield();
  for (int i = 0; i < 50 && !testing::Test::HasFailure(); ++i) {
    const child_end end = run_in_child([] {
      lock.lock();
      lock.unlock();
    });
    EXPECT_EQ(end.exit_status, 0) << end.errors;
  }
  stop = true;
  other.join();
}

}  // namespace
}  // namespace iolite_test

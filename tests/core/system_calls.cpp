// The counters of system calls: system_calls.hpp.
#include "iolite/system_calls.hpp"

#include "kernel/kernel.hpp"
#include "kernel/thread.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace iolite {
namespace {

std::uint64_t calls_of(std::string_view name) {
  const auto all = system_calls();
  const auto it = std::ranges::find(all, name, &system_call_count::name);
  return it == all.end() ? 0 : it->count;
}

void make_calls(int n) {
  for (int i = 0; i < n; ++i) kernel::real().close(-1);
}

// The stacks of the parent's other threads, and what was counted there, are used again by the
// child's threads. A fork(2) of the program's own, of which the library is not told.
TEST(counted_system_calls, a_child_of_fork_counts_its_own_calls_and_threads) {
  std::latch counted(4);
  std::latch over(1);
  std::vector<os_thread> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back(kernel::real(), [&] {
      make_calls(1);
      counted.count_down();
      over.wait();
    });
  }
  counted.wait();
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::vector<os_thread> own;
    for (int i = 0; i < 8; ++i) own.emplace_back(kernel::real(), [] { make_calls(3); });
    for (os_thread& t : own) t.join();
    ::_exit(calls_of("close") == 24 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  over.count_down();
  for (os_thread& t : others) t.join();
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace iolite

// See slices.hpp.
#include "slices.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace iolite_test {

// In memory that all of them share.
struct shared_counts {
  std::atomic<std::uint64_t> plays = 0;
  std::atomic<std::uint64_t> took_effect = 0;
  std::atomic<unsigned> crashes = 0;
};

namespace {

constexpr unsigned hang_limit_s = 20;  // of one run

std::array<char, 400> now_playing{};
shared_counts* counts = nullptr;

void say_what_was_played(int number) {
  if (number != SIGALRM) ++counts->crashes;
  const char* const what = number == SIGALRM ? "\nhangs: " : "\nstops: ";
  static_cast<void>(!::write(STDERR_FILENO, what, 8));
  static_cast<void>(!::write(STDERR_FILENO, now_playing.data(), std::strlen(now_playing.data())));
  static_cast<void>(!::write(STDERR_FILENO, "\n", 1));
  std::signal(number == SIGALRM ? SIGABRT : number, SIG_DFL);
  ::raise(number == SIGALRM ? SIGABRT : number);
}

[[noreturn]] void be_one(const share& mine, const std::function<void(const share&)>& body) {
  for (const int s : {SIGALRM, SIGABRT, SIGSEGV, SIGBUS}) std::signal(s, say_what_was_played);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  try {
    body(mine);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", mine.what().c_str(), e.what());
    ::_exit(2);
  }
  std::fflush(nullptr);
  ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace

void share::playing(std::string_view scenario, std::string_view engine,
                    std::string_view fault) const noexcept {
  const auto width = [](std::string_view s) { return static_cast<int>(s.size()); };
  std::snprintf(now_playing.data(), now_playing.size(), "%.*s on %.*s: %.*s", width(scenario),
                scenario.data(), width(engine), engine.data(), width(fault), fault.data());
  ::alarm(hang_limit_s);
}

std::string share::what() const { return now_playing.data(); }

void share::count(bool took_effect) const noexcept {
  ++counts_.plays;
  if (took_effect) ++counts_.took_effect;
}

bool share::crashed() const noexcept { return counts_.crashes > 0; }

shares run_shares(unsigned processes, const std::function<void(const share&)>& body) {
  void* const memory = ::mmap(nullptr, sizeof(shared_counts), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  counts = new (memory) shared_counts;
  std::fflush(nullptr);
  std::vector<pid_t> children;
  for (unsigned i = 0; i < processes; ++i) {
    const pid_t child = ::fork();
    if (child == 0) be_one(share(i, processes, *counts), body);
    children.push_back(child);
  }
  shares out;
  for (const pid_t child : children) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    ++out.failed;
    out.errors += WIFSIGNALED(status)
                      ? "a process was ended by signal " + std::to_string(WTERMSIG(status)) + "; "
                      : std::string("a process failed; ");
  }
  out.plays = counts->plays;
  out.took_effect = counts->took_effect;
  ::munmap(memory, sizeof(shared_counts));
  return out;
}

}  // namespace iolite_test

// See child.hpp.
#include "support/child.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace iolite_test {
namespace {

std::string read_until_end(int fd) {
  std::string out;
  char part[4096];
  for (;;) {
    const ssize_t n = ::read(fd, part, sizeof part);
    if (n > 0) out.append(part, static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR) return out;
  }
}

[[noreturn]] void be_the_child(const std::function<void()>& body, int errors) {
  ::dup2(errors, STDERR_FILENO);
  ::close(errors);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::alarm(30);
  try {
    body();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    ::_exit(2);
  }
  std::fflush(nullptr);
  ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

}  // namespace

child_end run_in_child(const std::function<void()>& body) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    be_the_child(body, ends[1]);
  }
  ::close(ends[1]);
  child_end out;
  out.errors = read_until_end(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) out.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) out.ended_by_signal = WTERMSIG(status);
  return out;
}

void run_this_test_elsewhere() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const std::string filter =
      std::string("--gtest_filter=") + test.test_suite_name() + "." + test.name();
  const child_end end = run_in_child([&] {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::execl("/proc/self/exe", "elsewhere", filter.c_str(), nullptr);
    ::_exit(127);
  });
  EXPECT_EQ(end.exit_status, 0) << end.errors;
}

void expect_stops(const std::function<void()>& body, const char* words) {
  const child_end end = run_in_child(body);
  EXPECT_EQ(end.ended_by_signal, SIGABRT) << "status " << end.exit_status << ": " << end.errors;
  EXPECT_NE(end.errors.find(words), std::string::npos) << "it said: " << end.errors;
  EXPECT_EQ(std::count(end.errors.begin(), end.errors.end(), '\n'), 1) << "it said: " << end.errors;
}

double cpu_seconds() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

// utime and stime of proc(5), counted after the name, which may contain blanks.
double cpu_seconds(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(line.rfind(')') + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && rest >> field; ++i) {
    if (i >= 14) ticks += std::strtod(field.c_str(), nullptr);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace iolite_test

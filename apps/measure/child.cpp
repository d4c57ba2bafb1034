#include "measure/child.hpp"

#include "measure/account.hpp"
#include "terminal/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace iolite::app {

namespace {

int milliseconds_left(clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

// Where the child gets its output from, and where it runs.
struct surroundings {
  int report;  // stays open in the child; it says why there is no such program
  int complaints;  // -1: standard error is inherited
  const cpu_set_t* cores;
};

// After fork(2), of the only thread: calls that are async-signal-safe, and execvp(3).
[[noreturn]] void become(char* const* argv, const surroundings& s) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);  // ^C at a terminal is for the parent, which ends this one in order
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  if (s.cores) ::sched_setaffinity(0, sizeof *s.cores, s.cores);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) ::_exit(127);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  if (s.complaints >= 0) {
    ::dup2(s.complaints, STDERR_FILENO);
    ::fcntl(s.report, F_SETFD, 0);
    ::execv("/proc/self/exe", argv);
  } else {
    ::execvp(argv[0], argv);
  }
  const int error = errno;
  (void)!::write(s.report, &error, sizeof error);
  ::_exit(127);
}

std::uint64_t proportional_bytes(pid_t process) {
  return number_after(whole_file(fmt::format("/proc/{}/smaps_rollup", process)), "\nPss:") * 1024;
}

}  // namespace

std::expected<child, std::string> child::start(std::vector<std::string> arguments,
                                               const cpu_set_t* cores) {
  arguments.insert(arguments.begin(), "iolite");
  return start_process(std::move(arguments), cores, true);
}

std::expected<child, std::string> child::start_command(std::vector<std::string> command,
                                                       const cpu_set_t* cores) {
  const std::string name = command.front();
  auto made = start_process(std::move(command), cores, false);
  if (!made) return made;
  // The pipe is closed by execve(2), or has the reason why that failed.
  int error = 0;
  ssize_t n = 0;
  do n = ::read(made->report_, &error, sizeof error);
  while (n < 0 && errno == EINTR);
  if (n == sizeof error)
    return std::unexpected(fmt::format("cannot run {}: {}", name, error_text(error)));
  return made;
}

std::expected<child, std::string> child::start_process(std::vector<std::string> arguments,
                                                       const cpu_set_t* cores, bool this_program) {
  int report[2] = {-1, -1};
  if (::pipe2(report, O_CLOEXEC) != 0)
    return std::unexpected(fmt::format("pipe: {}", error_text(errno)));
  const int complaints = this_program ? ::memfd_create("complaints", MFD_CLOEXEC) : -1;
  if (this_program) arguments.insert(arguments.end(), {"--report-fd", std::to_string(report[1])});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  const pid_t process = ::fork();
  if (process == 0) become(argv.data(), {report[1], complaints, cores});
  const int error = errno;
  ::close(report[1]);
  child made(process, report[0], complaints);
  if (process < 0) return std::unexpected(fmt::format("fork: {}", error_text(error)));
  return made;
}

child::child(child&& other) noexcept
    : process_(std::exchange(other.process_, -1)), report_(std::exchange(other.report_, -1)),
      complaints_(std::exchange(other.complaints_, -1)), unread_(std::move(other.unread_)) {}

child::~child() {
  child_exit ignored;
  if (process_ > 0) {
    kill_all();
    (void)ended_within(clock::duration::max(), ignored);
  }
  if (report_ >= 0) ::close(report_);
  if (complaints_ >= 0) ::close(complaints_);
}

// With the processes it has forked: they are in its process group.
void child::kill_all() noexcept {
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);  // it may not have come to make the group
}

std::optional<std::string> child::read_line(clock::duration limit) {
  const auto until = deadline_after(clock::now(), limit);
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd p{.fd = report_, .events = POLLIN, .revents = 0};
    const int left = milliseconds_left(until);
    const int ready = ::poll(&p, 1, left);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    char buffer[4096];
    const ssize_t n = ::read(report_, buffer, sizeof buffer);
    if (n <= 0) return std::nullopt;
    unread_.append(buffer, static_cast<std::size_t>(n));
  }
}

// wait4(2) with a time limit, by way of pidfd_open(2) (Linux 5.3).
bool child::ended_within(clock::duration limit, child_exit& out) {
  const auto until = deadline_after(clock::now(), limit);
  const int watch = static_cast<int>(::syscall(SYS_pidfd_open, process_, 0));
  for (;;) {
    const int options = watch < 0 && limit == clock::duration::max() ? 0 : WNOHANG;
    const pid_t ended = ::wait4(process_, &out.status, options, &out.used);
    if (ended == process_ || (ended < 0 && errno == ECHILD)) break;
    if (clock::now() >= until) {
      if (watch >= 0) ::close(watch);
      return false;
    }
    pollfd p{.fd = watch, .events = POLLIN, .revents = 0};
    (void)::poll(&p, 1, std::min(milliseconds_left(until), watch < 0 ? 10 : 1'000));
  }
  if (watch >= 0) ::close(watch);
  process_ = -1;
  return true;
}

std::optional<child_exit> child::ended(clock::duration limit) {
  child_exit out;
  if (process_ < 0 || ended_within(limit, out)) return out;
  return std::nullopt;
}

child_exit child::stop(clock::duration limit) {
  child_exit out;
  if (process_ < 0) return out;
  ::kill(process_, SIGTERM);
  if (ended_within(limit, out)) return out;
  kill_all();
  (void)ended_within(clock::duration::max(), out);
  return out;
}

process_sample child::sample() const {
  process_sample s;
  const std::string status = whole_file(fmt::format("/proc/{}/status", process_));
  s.threads = number_after(status, "\nThreads:");
  s.peak_rss_bytes = number_after(status, "\nVmHWM:") * 1024;
  s.children = children_of(process_);
  for (const pid_t c : s.children)
    s.threads += number_after(whole_file(fmt::format("/proc/{}/status", c)), "\nThreads:");
  return s;
}

std::uint64_t child::shared_rss_bytes(const std::vector<pid_t>& children) const {
  std::uint64_t sum = proportional_bytes(process_);
  for (const pid_t c : children) sum += proportional_bytes(c);
  return sum;
}

std::string child::complaint() const {
  if (complaints_ < 0) return {};
  char buffer[2048];
  const ssize_t n = ::pread(complaints_, buffer, sizeof buffer, 0);
  const std::string text(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  std::string line = text.substr(0, text.find('\n'));
  if (line.starts_with("iolite: ")) line.erase(0, 8);
  return line;
}

}  // namespace iolite::app

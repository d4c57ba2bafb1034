#include "child.hpp"

#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sstream>
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

// After fork(2): only calls that are async-signal-safe.
[[noreturn]] void become(char* const* argv, int report, int complaints, const cpu_set_t* cores) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);  // ^C at a terminal is for the parent, which ends this one in order
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  if (cores) ::sched_setaffinity(0, sizeof *cores, cores);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) ::_exit(127);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(complaints, STDERR_FILENO);
  ::fcntl(report, F_SETFD, 0);
  ::execv("/proc/self/exe", argv);
  ::_exit(127);
}

std::string whole_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `Key:   123 kB` in the text of a file in /proc; 0 without.
std::uint64_t number_after(const std::string& text, std::string_view key) {
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  const auto digit = text.find_first_of("0123456789", at + key.size());
  std::uint64_t n = 0;
  if (digit != std::string::npos)
    std::from_chars(text.data() + digit, text.data() + text.size(), n);
  return n;
}

std::vector<pid_t> children_of(pid_t process) {
  std::istringstream list(whole_file(fmt::format("/proc/{0}/task/{0}/children", process)));
  return {std::istream_iterator<pid_t>(list), {}};
}

std::uint64_t proportional_bytes(pid_t process) {
  return number_after(whole_file(fmt::format("/proc/{}/smaps_rollup", process)), "\nPss:") * 1024;
}

}  // namespace

std::expected<child, std::string> child::start(std::vector<std::string> arguments,
                                               const cpu_set_t* cores) {
  int report[2] = {-1, -1};
  if (::pipe2(report, O_CLOEXEC) != 0)
    return std::unexpected(fmt::format("pipe: {}", error_text(errno)));
  const int complaints = ::memfd_create("complaints", MFD_CLOEXEC);
  arguments.insert(arguments.begin(), "iolite");
  arguments.insert(arguments.end(), {"--report-fd", std::to_string(report[1])});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  const pid_t process = ::fork();
  if (process == 0) become(argv.data(), report[1], complaints, cores);
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
  char buffer[2048];
  const ssize_t n = ::pread(complaints_, buffer, sizeof buffer, 0);
  const std::string text(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  std::string line = text.substr(0, text.find('\n'));
  if (line.starts_with("iolite: ")) line.erase(0, 8);
  return line;
}

}  // namespace iolite::app

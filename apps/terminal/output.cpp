#include "terminal/output.hpp"

#include "iolite/one_line.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace iolite::app {

namespace {

// All of `text`, or the errno that ended it. SIGPIPE is ignored. Whoever shares the file may have
// made it non-blocking, for all: open(2), fcntl(2).
int write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
      (void)::poll(&room, 1, -1);
      continue;
    }
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

// A new file may take the place of a regular one only. What else is there is written in place: a
// device, a named pipe, and a symbolic link, which would be gone (/dev/stdout is one).
bool replaceable(const std::string& path) {
  struct stat about = {};
  return ::lstat(path.c_str(), &about) != 0 || S_ISREG(about.st_mode);
}

int write_in_place(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  const int error = write_whole(fd, text);
  ::close(fd);
  return error;
}

// Readers of a regular file see the old one or the new one, never a part. 0 or an errno.
int write_file(const std::string& path, std::string_view text) {
  if (!replaceable(path)) return write_in_place(path, text);
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  int error = write_whole(fd, text);
  const mode_t mask = ::umask(0);  // mkstemp(3) gives 0600: take what open(2) would have given
  ::umask(mask);
  if (error == 0 && ::fchmod(fd, 0666 & ~mask) != 0) error = errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(temporary.c_str());
  return error;
}

}  // namespace

bool print(std::string_view text) {
  const int error = write_whole(STDOUT_FILENO, text);
  if (error != 0 && error != EPIPE)
    complain(fmt::format("cannot write to standard output: {}", error_text(error)));
  return error == 0;
}

void complain(std::string_view message) {
  constexpr std::size_t bytes_max = 4096;  // what is wrong with long arguments may be long
  const std::string line = one_line("iolite: " + std::string(message), bytes_max) + "\n";
  (void)write_whole(STDERR_FILENO, line);  // nowhere is left to report to
}

int failed(std::string_view message) {
  complain(message);
  return status_failed;
}

int wrong_usage(std::string_view message) {
  complain(message);
  return status_usage;
}

std::string error_text(int number) { return std::system_category().message(number); }

int write_json(const std::string& target, const nlohmann::ordered_json& value) {
  return write_result(target, value.dump(2) + "\n");
}

int write_result(const std::string& target, std::string_view text) {
  if (target == "-") return print(text) ? status_done : status_failed;
  if (const int error = write_file(target, text); error != 0)
    return failed(fmt::format("cannot write {}: {}", target, error_text(error)));
  return status_done;
}

void prepare_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);  // takes the lowest free: `fd`
  std::signal(SIGPIPE, SIG_IGN);
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return RLIM_INFINITY;
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  // Where it cannot be raised, the old limit is still a limit to live with.
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace iolite::app

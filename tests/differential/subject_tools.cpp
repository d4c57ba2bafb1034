// See subject_tools.hpp.
#include "subject_tools.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace iolite_test::differential {
namespace {

[[noreturn]] void hold(int fd) {
  if (fd > 0) ::syscall(SYS_close_range, 0, fd - 1, 0);
  ::syscall(SYS_close_range, fd + 1, ~0U, 0);
  for (;;) ::raise(SIGSTOP);
}

sockaddr_in loopback() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

}  // namespace

int checked(long r) {
  if (r < 0) throw std::system_error(errno, std::system_category());
  return static_cast<int>(r);
}

void owned::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

other_process::other_process(int fd) : pid_(checked(::fork())) {
  if (pid_ == 0) hold(fd);
  int status = 0;
  checked(::waitpid(pid_, &status, WUNTRACED));  // it has closed all others
}

void other_process::end() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

std::string in_folder(std::string_view name) {
  static const std::string folder = [] {
    std::string made = "/tmp/iolite-subjects-XXXXXX";
    if (!::mkdtemp(made.data())) throw std::system_error(errno, std::system_category());
    return made;
  }();
  static const struct remover {
    ~remover() {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  } at_exit;
  return folder + "/" + std::string(name);
}

bool drain(int fd) {
  char some[65536];
  bool any = false;
  while (::read(fd, some, sizeof some) > 0) any = true;
  return any;
}

bool fill(int fd) {
  const std::string much(65536, 'x');
  bool any = false;
  for (const std::size_t piece : {much.size(), std::size_t{512}, std::size_t{1}}) {
    while (::send(fd, much.data(), piece, MSG_NOSIGNAL) > 0) any = true;
    while (errno == ENOTSOCK && ::write(fd, much.data(), piece) > 0) any = true;
  }
  return any;
}

owned inet_socket(int type) {
  return owned(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

sockaddr_in bound(int fd) {
  sockaddr_in at = loopback();
  socklen_t n = sizeof at;
  checked(::bind(fd, reinterpret_cast<sockaddr*>(&at), n));
  checked(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &n));
  return at;
}

int connect_to(int fd, const sockaddr_in& at) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

}  // namespace iolite_test::differential

// See socket_path.hpp.
#include "net/socket_path.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

namespace iolite {
namespace {

// Of the directory that contains a path, until the end of its life.
class directory_lock {
 public:
  directory_lock(kernel& os, const char* path) noexcept : os_(os) {
    char directory[sizeof(sockaddr_un::sun_path) + 1] = {};
    const char* const slash = std::strrchr(path, '/');
    if (!slash) directory[0] = '.';
    else if (slash == path) directory[0] = '/';
    else std::memcpy(directory, path, static_cast<std::size_t>(slash - path));
    fd_ = os_.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0) return;
    constexpr timespec pause{0, 5'000'000};
    int r = os_.flock(fd_, LOCK_EX | LOCK_NB);
    for (int tries = 0; (r == -EWOULDBLOCK || r == -EINTR) && tries < 20; ++tries) {
      os_.nanosleep(&pause);
      r = os_.flock(fd_, LOCK_EX | LOCK_NB);
    }
    is_held_ = r == 0;
  }
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;
  ~directory_lock() {
    if (is_held_) os_.flock(fd_, LOCK_UN);  // a child that another thread forks has it open, too
    if (fd_ >= 0) os_.close(fd_);
  }
  [[nodiscard]] bool is_held() const noexcept { return is_held_; }

 private:
  kernel& os_;
  int fd_ = -1;
  bool is_held_ = false;
};

int bind(kernel& os, int fd, const endpoint& at) noexcept {
  return os.bind(fd, static_cast<const sockaddr*>(at.native()),
                 static_cast<socklen_t>(at.native_bytes()));
}

// Which socket is there: 0, -ENOTSOCK, or what lstat(2) says.
int identify(kernel& os, const endpoint& at, detail::socket_path& out) noexcept {
  struct stat about{};
  if (const int r = os.lstat(at.socket_file(), &about); r < 0) return r;
  if (!S_ISSOCK(about.st_mode)) return -ENOTSOCK;
  out = {at, about.st_dev, about.st_ino};
  return 0;
}

bool is_refused(kernel& os, const endpoint& at) noexcept {
  const int fd = os.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int r = os.connect(fd, static_cast<const sockaddr*>(at.native()),
                           static_cast<socklen_t>(at.native_bytes()));
  os.close(fd);
  return r == -ECONNREFUSED;
}

// True: a path that a dead server left is free now.
bool remove_abandoned(kernel& os, const endpoint& at) noexcept {
  detail::socket_path there;
  if (identify(os, at, there) < 0 || !is_refused(os, at)) return false;
  remove_file(os, there);
  return true;
}

}  // namespace

int listen_at_path(kernel& os, int fd, const endpoint& at, int backlog,
                   detail::socket_path& made) noexcept {
  const directory_lock lock(os, at.socket_file());
  int r = bind(os, fd, at);
  if (r == -EADDRINUSE && lock.is_held() && remove_abandoned(os, at)) r = bind(os, fd, at);
  if (r < 0) return r;
  r = identify(os, at, made);
  // Under the lock it is the one that was just made, also where nobody says so.
  if (r < 0 && lock.is_held()) os.unlink(at.socket_file());
  if (r >= 0) r = os.listen(fd, backlog);
  if (r < 0) remove_file(os, made);
  return r;
}

void remove_file(kernel& os, detail::socket_path& file) noexcept {
  const detail::socket_path ours = std::exchange(file, {});
  detail::socket_path there;
  if (ours.inode == 0 || identify(os, ours.at, there) < 0) return;
  if (there.device == ours.device && there.inode == ours.inode) os.unlink(ours.at.socket_file());
}

}  // namespace iolite

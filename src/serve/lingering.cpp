// See lingering.hpp.
#include "serve/lingering.hpp"

#include <array>
#include <cerrno>
#include <new>
#include <sys/socket.h>

namespace iolite {

bool lingering::take(int fd, bool tcp) noexcept {
  if (end(fd, tcp)) return false;
  try {
    fds_.push_back(fd);
    return true;
  } catch (const std::bad_alloc&) {  // no memory to remember it by
    os_.close(fd);
    return false;
  }
}

void lingering::look() noexcept {
  std::erase_if(fds_, [this](int fd) { return end(fd, true); });
}

void lingering::cut() noexcept {
  for (const int fd : fds_) os_.close(fd);
  fds_.clear();
}

// What has not been acknowledged would be lost by a reset. A connection that the peer has reset
// counts as unsent what nobody will ever acknowledge: tcp(7), SIOCOUTQ.
bool lingering::end(int fd, bool tcp) noexcept {
  drop_input(fd);
  int unsent = 0;
  const bool waits = tcp && os_.bytes_unsent(fd, &unsent) == 0 && unsent > 0;
  if (waits && !is_gone(fd)) return false;
  os_.shutdown(fd, SHUT_WR);
  drop_input(fd);
  os_.close(fd);
  return true;
}

// Not poll(2): the lock of the table is held, and a call that may wait lets others run.
bool lingering::is_gone(int fd) noexcept {
  sockaddr_storage peer;
  socklen_t bytes = sizeof peer;
  return os_.getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) == -ENOTCONN;
}

// As far as a peer that sends without a pause allows.
void lingering::drop_input(int fd) noexcept {
  constexpr int reads_max = 64;
  std::array<std::byte, 16'384> dropped;
  for (int i = 0; i < reads_max; ++i) {
    const long n = os_.recv(fd, dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (n <= 0 && n != -EINTR) return;
  }
}

}  // namespace iolite

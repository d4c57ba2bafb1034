// See lingering.hpp.
#include "serve/lingering.hpp"

#include <array>
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

// What has not been acknowledged would be lost by a reset.
bool lingering::end(int fd, bool tcp) noexcept {
  drop_input(fd);
  int unsent = 0;
  if (tcp && os_.bytes_unsent(fd, &unsent) == 0 && unsent > 0) return false;
  os_.shutdown(fd, SHUT_WR);
  drop_input(fd);
  os_.close(fd);
  return true;
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

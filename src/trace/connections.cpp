// See connections.hpp.
#include "trace/connections.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace iolite::trace {
namespace {

class closing {
 public:
  closing(kernel& os, int fd) noexcept : os_(os), fd_(fd) {}
  closing(const closing&) = delete;
  closing& operator=(const closing&) = delete;
  ~closing() {
    if (fd_ >= 0) os_.close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  int keep() noexcept { return std::exchange(fd_, -1); }

 private:
  kernel& os_;
  int fd_;
};

int set(kernel& os, int fd, int level, int name, int value) noexcept {
  return os.setsockopt(fd, level, name, &value, sizeof value);
}

result<connected_pair> unix_pair(kernel& os) {
  std::array<int, 2> two{};
  if (const int r = os.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, two.data()); r < 0)
    return failure(r);
  return connected_pair{two[0], two[1]};
}

result<connected_pair> tcp_pair(kernel& os) {
  closing listening(os, os.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  closing peer(os, os.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (listening.get() < 0 || peer.get() < 0) return failure(std::min(listening.get(), peer.get()));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  socklen_t n = sizeof at;
  int r = os.bind(listening.get(), address, n);
  if (r == 0) r = os.listen(listening.get(), 1);
  if (r == 0) r = os.getsockname(listening.get(), address, &n);
  if (r == 0) r = os.connect(peer.get(), address, n);
  if (r < 0) return failure(r);
  closing ours(os, os.accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (ours.get() < 0) return failure(ours.get());
  for (const int fd : {peer.get(), ours.get()}) set(os, fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return connected_pair{peer.keep(), ours.keep()};
}

clock::duration since_epoch(const timespec& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

result<connected_pair> connect_pair(kernel& os, bool over_unix, std::size_t bytes) {
  auto made = over_unix ? unix_pair(os) : tcp_pair(os);
  if (!made) return made;
  set(os, made->ours, SOL_SOCKET, SO_RCVLOWAT, static_cast<int>(bytes));
  // Refused by some sockets and systems: then there are no stamps, and the clocks of the sender
  // have to do.
  set(os, made->peer, SOL_SOCKET, SO_TIMESTAMPING,
      SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY |
          SOF_TIMESTAMPING_OPT_ID);
  return made;
}

clock::duration wall_minus_monotonic(kernel& os) {
  clock::duration narrowest = clock::duration::max(), offset{};
  for (int i = 0; i < 20; ++i) {
    timespec wall{};
    const clock::time_point before = os.now();
    os.clock_gettime(CLOCK_REALTIME, &wall);
    const clock::duration width = os.now() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    offset = since_epoch(wall) - (before.time_since_epoch() + width / 2);
  }
  return offset;
}

std::optional<clock::duration> take_transmit_stamp(kernel& os, int fd) {
  std::optional<clock::duration> newest;
  for (;;) {
    alignas(cmsghdr) std::array<char, 512> control{};
    msghdr m{};
    m.msg_control = control.data();
    m.msg_controllen = control.size();
    if (os.recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return newest;
    if ((m.msg_flags & MSG_ERRQUEUE) == 0) return newest;  // a socket without such a queue
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
      timespec t{};
      std::memcpy(&t, CMSG_DATA(c), sizeof t);
      if (since_epoch(t) > clock::duration::zero()) newest = since_epoch(t);
    }
  }
}

}  // namespace iolite::trace

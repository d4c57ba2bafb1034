// Socket options: those the library uses, and what socket(7), tcp(7) say about their values.
#include "kernel/simulated/sockets/any_socket.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

namespace iolite::simulated {
namespace {

constexpr int send_least = 4608, receive_least = 2304;
constexpr int buffer_most = 212992;  // net.core.wmem_max, before it is doubled

bool is_known(int level, int name) noexcept {
  if (level == SOL_SOCKET) {
    switch (name) {
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_KEEPALIVE:
    case SO_SNDBUF:
    case SO_RCVBUF:
    case SO_BROADCAST:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_RCVLOWAT: return true;
    default: return false;
    }
  }
  if (level == IPPROTO_TCP) {
    switch (name) {
    case TCP_NODELAY:
    case TCP_CORK:
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
    case TCP_USER_TIMEOUT:
    case TCP_DEFER_ACCEPT:
    case TCP_QUICKACK: return true;
    default: return false;
    }
  }
  return level == IPPROTO_IPV6 && name == IPV6_V6ONLY;
}

int give(int value, void* to, socklen_t* bytes) noexcept {
  const auto n = std::min<socklen_t>(*bytes, sizeof value);
  std::memcpy(to, &value, n);
  *bytes = n;
  return 0;
}

}  // namespace

int any_socket::set_option(int level, int name, const void* value, socklen_t bytes) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger l;
    if (bytes < sizeof l) return -EINVAL;
    std::memcpy(&l, value, sizeof l);
    linger_seconds_ = l.l_onoff != 0 ? l.l_linger : -1;
    return 0;
  }
  if (is_unix() && level != SOL_SOCKET) return -EOPNOTSUPP;
  if (type_ == SOCK_DGRAM && level == IPPROTO_TCP) return -ENOPROTOOPT;
  if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
    timeval t;
    if (bytes < sizeof t) return -EINVAL;
    std::memcpy(&t, value, sizeof t);
    const auto length = std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
    (name == SO_RCVTIMEO ? receives_for : sends_for) = length;
    return 0;
  }
  if (!is_known(level, name)) return -ENOPROTOOPT;
  int n = 0;
  if (bytes < sizeof n) return -EINVAL;
  std::memcpy(&n, value, sizeof n);
  if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF)) {
    n = std::max(std::clamp(n, 0, buffer_most) * 2, name == SO_SNDBUF ? send_least : receive_least);
  } else if (level == IPPROTO_TCP && (name == TCP_KEEPIDLE || name == TCP_KEEPINTVL)) {
    if (n < 1 || n > 32767) return -EINVAL;
  } else if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT) {
    if (n < 0) return -EINVAL;
  } else if (level == SOL_SOCKET || name == TCP_NODELAY) {
    n = n != 0 ? 1 : 0;
  }
  options_[{level, name}] = n;
  return 0;
}

int any_socket::get_option(int level, int name, void* value, socklen_t* bytes) {
  if (level == SOL_SOCKET) {
    switch (name) {
    case SO_ERROR: return give(take_error(), value, bytes);
    case SO_TYPE: return give(type_, value, bytes);
    case SO_DOMAIN: return give(domain_, value, bytes);
    case SO_PROTOCOL: return give(protocol(), value, bytes);
    case SO_ACCEPTCONN: return give(is_listening() ? 1 : 0, value, bytes);
    case SO_LINGER: {
      const linger l{linger_seconds_ >= 0 ? 1 : 0, std::max(linger_seconds_, 0)};
      const auto n = std::min<socklen_t>(*bytes, sizeof l);
      std::memcpy(value, &l, n);
      *bytes = n;
      return 0;
    }
    default: break;
    }
  }
  if (is_unix() && level != SOL_SOCKET) return -EOPNOTSUPP;
  if (type_ == SOCK_DGRAM && level == IPPROTO_TCP) return -EOPNOTSUPP;
  if (!is_known(level, name)) return -ENOPROTOOPT;
  if (const auto it = options_.find({level, name}); it != options_.end()) {
    return give(it->second, value, bytes);
  }
  const bool buffer = level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF);
  return give(buffer ? static_cast<int>(buffer_bytes(name)) : 0, value, bytes);
}

std::size_t any_socket::buffer_bytes(int name) const {
  const auto it = options_.find({SOL_SOCKET, name});
  if (it != options_.end()) return static_cast<std::size_t>(it->second);
  return usual_buffer(name);
}

}  // namespace iolite::simulated

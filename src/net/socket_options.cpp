// See stream.hpp: the addresses of a stream and the options of its socket.
#include "net/socket_options.hpp"

#include "iolite/core/engine.hpp"
#include "iolite/stream.hpp"
#include "iolite/system_descriptor.hpp"
#include "kernel/kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace iolite {

endpoint stream::local() const noexcept {
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  if (fd_ < 0) return {};
  const system_descriptor socket(*this);
  const int r = engine_->os().getsockname(socket.number(), reinterpret_cast<sockaddr*>(&a), &n);
  return r < 0 ? endpoint() : endpoint::from_native(&a, n);
}

endpoint stream::peer() const noexcept {
  sockaddr_storage a{};
  socklen_t n = sizeof a;
  if (fd_ < 0) return {};
  const system_descriptor socket(*this);
  const int r = engine_->os().getpeername(socket.number(), reinterpret_cast<sockaddr*>(&a), &n);
  return r < 0 ? endpoint() : endpoint::from_native(&a, n);
}

result<void> stream::set_option(int level, int name, int value) noexcept {
  if (fd_ < 0) return failure(-EBADF);
  const system_descriptor socket(*this);
  if (socket.number() < 0) return failure(socket.number());
  const int r = engine_->os().setsockopt(socket.number(), level, name, &value, sizeof value);
  if (r < 0) return failure(r);
  return {};
}

result<void> stream::set_nodelay(bool on) noexcept {
  return set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

result<void> stream::set_keepalive(clock::duration idle, clock::duration interval) noexcept {
  if (auto r = set_option(SOL_SOCKET, SO_KEEPALIVE, 1); !r) return r;
  if (auto r = set_option(IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds(idle)); !r) return r;
  return set_option(IPPROTO_TCP, TCP_KEEPINTVL, keepalive_seconds(interval));
}

result<void> stream::set_user_timeout(clock::duration limit) noexcept {
  return set_option(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms(limit));
}

result<void> stream::set_buffers(std::size_t send_bytes, std::size_t recv_bytes) noexcept {
  const auto clamped = [](std::size_t n) {
    return static_cast<int>(std::min<std::size_t>(n, INT32_MAX / 2));
  };
  if (auto r = set_option(SOL_SOCKET, SO_SNDBUF, clamped(send_bytes)); !r) return r;
  return set_option(SOL_SOCKET, SO_RCVBUF, clamped(recv_bytes));
}

}  // namespace iolite

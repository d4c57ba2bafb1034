// Datagram sockets on loopback, for scripts that are played on two kernels. See session.hpp.
#pragma once
#include "session.hpp"

#include <netinet/in.h>

namespace iolite_test {

// An IPv4 address, as the calls take it.
struct place {
  sockaddr_in at{};
  socklen_t bytes = sizeof at;
  explicit place(int ip = INADDR_LOOPBACK, int port = 0) {
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(ip));
    at.sin_port = htons(static_cast<std::uint16_t>(port));
  }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&at); }
};

inline int udp(session& s, int more = SOCK_NONBLOCK) {
  return s.keep(s.os().socket(AF_INET, SOCK_DGRAM | more, 0));
}
inline place place_of(session& s, int fd) {
  place p;
  s.os().getsockname(fd, p.get(), &p.bytes);
  return p;
}
inline int bound(session& s, int more = SOCK_NONBLOCK) {
  const int fd = udp(s, more);
  place any;
  s.note("bind", s.os().bind(fd, any.get(), any.bytes));
  return fd;
}
inline void connect(session& s, int fd, place to) {
  s.note("connect", s.os().connect(fd, to.get(), to.bytes));
}
inline void send_to(session& s, int fd, std::string_view bytes, place to) {
  s.note("sendto", s.os().sendto(fd, bytes.data(), bytes.size(), 0, to.get(), to.bytes));
}
// Nobody is there, and nobody comes.
inline place nobody(session& s) {
  const int fd = bound(s);
  const place p = place_of(s, fd);
  s.close(fd);
  return p;
}

}  // namespace iolite_test

// What one call gives on the simulated kernel is what it gives on the real one: UDP over loopback.
// See session.hpp.
#include "udp_session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fcntl.h>
#include <netinet/tcp.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr short every_bit = POLLIN | POLLOUT | POLLRDHUP;

// The address, and whether there is a port: which one is chance.
void note_name(session& s, long gave, const place& p) {
  s.note("name", gave);
  if (gave < 0) return;
  s.note("  ip", ntohl(p.at.sin_addr.s_addr) == INADDR_LOOPBACK ? 127 : p.at.sin_addr.s_addr != 0);
  s.note("  has port", p.at.sin_port != 0);
}
void names(session& s, int fd) {
  place mine, peer;
  const int local = s.os().getsockname(fd, mine.get(), &mine.bytes);
  note_name(s, local, mine);
  const int other = s.os().getpeername(fd, peer.get(), &peer.bytes);
  note_name(s, other, peer);
}

TEST(differential, datagrams_keep_their_bounds) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    const place to = place_of(s, b);
    const auto count = [&] {
      int n = -1;
      s.note("ioctl", s.os().bytes_arrived(b, &n));
      s.note("bytes", n);
    };
    s.poll(a, every_bit);
    s.poll(b, every_bit);
    s.receive(b);
    for (const char* text : {"one", "and two", "", "cut off", "seen twice", "how long?"}) {
      send_to(s, a, text, to);
      s.until(b, POLLIN);  // one after the other: here the simulated one takes its time
      s.poll(b, every_bit);
      count();
      if (std::strcmp(text, "cut off") == 0) s.receive(b, 3);
      else if (std::strcmp(text, "how long?") != 0) s.receive(b);
      std::array<char, 4> into{};
      if (std::strcmp(text, "how long?") == 0) {
        s.note("peek", s.os().recv(b, into.data(), into.size(), MSG_PEEK));
        s.note("trunc", s.os().recv(b, into.data(), into.size(), MSG_TRUNC));
      }
      count();
    }
    s.receive(b);
    s.poll(b, every_bit);
  });
}

TEST(differential, datagrams_say_whom_they_are_from) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    names(s, a);
    send_to(s, a, "hello", place_of(s, b));
    names(s, a);
    s.until(b, POLLIN);
    std::array<char, 8> into{};
    place from;
    s.note("recvfrom", s.os().recvfrom(b, into.data(), into.size(), 0, from.get(), &from.bytes));
    s.note("size", from.bytes);
    s.note("it is a", from.at.sin_port == place_of(s, a).at.sin_port);
    note_name(s, 0, from);
    send_to(s, b, "answer", from);
    s.until(a, POLLIN);
    s.note("recvfrom", s.os().recvfrom(a, into.data(), 3, 0, nullptr, nullptr));
  });
}

TEST(differential, datagrams_that_cannot_be_sent) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    s.send(a, "to whom?");
    names(s, a);
    s.note("write", s.os().write(a, "x", 1));
    send_to(s, a, "no port", place(INADDR_LOOPBACK, 0));
    place to = place_of(s, b);
    to.bytes = 4;
    send_to(s, a, "short", to);
    to.bytes = sizeof to.at;
    to.at.sin_family = AF_INET6;
    send_to(s, a, "other", to);
    to.at.sin_family = AF_INET;
    const std::string large(65'536, 'x');
    for (const std::size_t n : {65'506U, 65'507U, 65'508U, 65'535U, 65'536U}) {
      send_to(s, a, std::string_view(large).substr(0, n), to);
      if (n > 65'507) continue;
      s.until(b, POLLIN);
      std::string into(large.size(), '\0');
      s.note("recv", s.os().recv(b, into.data(), into.size(), 0));
    }
    s.poll(b, POLLIN);
    send_to(s, b, "from loopback to elsewhere", place(0x0a0b0c0d, 9));
  });
}

TEST(differential, a_connected_datagram_socket_has_one_peer) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s), c = bound(s);
    connect(s, a, place_of(s, b));
    names(s, a);
    send_to(s, c, "from a stranger", place_of(s, a));
    send_to(s, b, "from the peer", place_of(s, a));
    s.until(a, POLLIN);
    s.receive(a);
    s.receive(a);
    s.send(a, "to the peer");
    s.until(b, POLLIN);
    s.receive(b);
    send_to(s, a, "to another", place_of(s, c));
    s.until(c, POLLIN);
    s.receive(c);
    connect(s, a, place_of(s, c));
    s.send(a, "to the new peer");
    s.until(c, POLLIN);
    s.receive(c);
    place none;
    none.at.sin_family = AF_UNSPEC;
    connect(s, a, none);
    names(s, a);
    s.send(a, "to whom?");
    send_to(s, a, "again", place_of(s, b));
    s.until(b, POLLIN);
    s.receive(b);
    connect(s, b, place_of(s, c));
    connect(s, b, none);
    names(s, b);
    connect(s, b, place(0, ntohs(place_of(s, c).at.sin_port)));  // 0.0.0.0: this host
    names(s, b);
  });
}

TEST(differential, who_is_connected_learns_that_nobody_listens) {
  expect_same([](session& s) {
    const place gone = nobody(s);
    const int a = udp(s);
    connect(s, a, gone);
    for (int i = 0; i < 3; ++i) {
      s.send(a, "anybody?");
      s.until(a, POLLERR);
      s.poll(a, every_bit);
      if (i == 0) s.receive(a);
      else if (i == 1) s.error_of(a);
      else s.send(a, "and now?");
      s.error_of(a);
      s.poll(a, every_bit);
    }
    s.receive(a);
    const int b = udp(s);
    send_to(s, b, "not connected: not told", gone);
    s.poll(b, every_bit);
    send_to(s, b, "x", gone);
  });
}

// Bound to a port that no TCP socket has: on this machine, connections that have ended keep theirs.
int bound_beside_tcp(session& s) {
  for (;;) {
    const int fd = udp(s), probe = s.tcp();
    place any;
    s.os().bind(fd, any.get(), any.bytes);
    place same = place_of(s, fd);
    const bool is_free = s.os().bind(probe, same.get(), same.bytes) == 0;
    s.close(probe);
    if (is_free) return fd;
  }
}

TEST(differential, ports_of_datagram_sockets) {
  expect_same([](session& s) {
    const int a = bound_beside_tcp(s);
    place same = place_of(s, a);
    const int b = udp(s), on = 1;
    const auto bind = [&](int fd, place at) {
      s.note("bind", s.os().bind(fd, at.get(), at.bytes));
    };
    const auto share = [&](int fd, int name) {
      s.note("set", s.os().setsockopt(fd, SOL_SOCKET, name, &on, sizeof on));
    };
    bind(b, same);
    bind(b, place(0, ntohs(same.at.sin_port)));
    bind(a, place());
    share(b, SO_REUSEADDR);
    bind(b, same);
    share(a, SO_REUSEADDR);
    bind(b, same);
    const int c = udp(s);
    share(c, SO_REUSEPORT);
    bind(c, same);
    bind(udp(s), place(0x08080808));
    bind(s.tcp(), same);  // a port of TCP is another one
    place cut;
    cut.bytes = 4;
    bind(udp(s), cut);
    s.close(a);
    s.close(b);
    bind(c, same);
  });
}

TEST(differential, shutdown_of_datagram_sockets) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    s.note("shutdown", s.os().shutdown(a, SHUT_RD));
    s.poll(a, every_bit);
    s.receive(a);
    s.note("shutdown", s.os().shutdown(b, 7));
    const int c = udp(s);
    connect(s, c, place_of(s, b));
    s.note("shutdown", s.os().shutdown(c, SHUT_WR));
    s.poll(c, every_bit);
    s.send(c, "no more");
    s.note("send", s.os().send(c, "x", 1, 0));  // and no SIGPIPE
    send_to(s, b, "in", place_of(s, c));
    s.until(c, POLLIN);
    s.receive(c);
    s.note("shutdown", s.os().shutdown(c, SHUT_RD));
    s.poll(c, every_bit);
    s.receive(c);
    s.os().fcntl(c, F_SETFL, 0);
    s.receive(c);
  });
}

TEST(differential, what_datagram_sockets_cannot_do) {
  expect_same([](session& s) {
    const int a = bound(s);
    s.note("listen", s.os().listen(a, 5));
    s.note("accept", s.os().accept4(a, nullptr, nullptr, 0));
    for (const int protocol : {IPPROTO_UDP, IPPROTO_TCP}) {
      const int d = s.keep(s.os().socket(AF_INET, SOCK_DGRAM, protocol));
      s.note("socket", d < 0 ? d : 0);
      const int t = s.keep(s.os().socket(AF_INET6, SOCK_STREAM, protocol));
      s.note("socket", t < 0 ? t : 0);
    }
    const auto look = [&](int level, int name) {
      int now = -1;
      socklen_t n = sizeof now;
      s.note("get", s.os().getsockopt(a, level, name, &now, &n));
      s.note("it is", now);
    };
    const auto set = [&](int level, int name, int value) {
      s.note("set", s.os().setsockopt(a, level, name, &value, sizeof value));
      look(level, name);
    };
    look(SOL_SOCKET, SO_TYPE);
    look(SOL_SOCKET, SO_PROTOCOL);
    look(SOL_SOCKET, SO_ACCEPTCONN);
    look(SOL_SOCKET, SO_SNDBUF);
    look(SOL_SOCKET, SO_RCVBUF);
    set(SOL_SOCKET, SO_SNDBUF, 10'000);
    set(SOL_SOCKET, SO_RCVBUF, 1);
    set(SOL_SOCKET, SO_BROADCAST, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
  });
}

TEST(differential, over_ipv6) {
  expect_same([](session& s) {
    const auto make = [&] {
      return s.keep(s.os().socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    };
    const int a = make(), b = make();
    sockaddr_in6 at{};
    at.sin6_family = AF_INET6;
    at.sin6_addr = in6addr_loopback;
    socklen_t bytes = sizeof at;
    auto* const to = reinterpret_cast<sockaddr*>(&at);
    if (s.note("bind", s.os().bind(b, to, bytes)) < 0) return;
    s.os().getsockname(b, to, &bytes);
    s.note("connect", s.os().connect(a, to, bytes));
    const std::string large(65'528, 'x');
    for (const std::size_t n : {65'527U, 65'528U}) {
      s.note("send", s.os().send(a, large.data(), n, 0));
    }
    s.until(b, POLLIN);
    std::string into(large.size(), '\0');
    sockaddr_in6 from{};
    bytes = sizeof from;
    auto* const who = reinterpret_cast<sockaddr*>(&from);
    s.note("recvfrom", s.os().recvfrom(b, into.data(), into.size(), 0, who, &bytes));
    s.note("from loopback", std::memcmp(&from.sin6_addr, &in6addr_loopback, 16));
    s.note("bytes", bytes);
  });
}

}  // namespace
}  // namespace iolite_test

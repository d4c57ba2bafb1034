// What one call gives on the simulated kernel is what it gives on the real one: sockets. See
// session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr short every_bit = POLLIN | POLLOUT | POLLRDHUP;

TEST(differential, bytes_and_the_end_of_a_tcp_stream) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.poll(a, every_bit);
    s.receive(b);
    s.send(a, "hello");
    s.until(b, POLLIN);
    s.poll(b, every_bit);
    s.receive(b, 2);
    s.receive(b);
    s.receive(b);
    s.send(a, "");
    s.send(a, "last");
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.until(b, POLLRDHUP);
    s.poll(b, every_bit);
    s.receive(b);
    s.receive(b);
    s.receive(b);
    s.send(a, "more");
    s.send(b, "answer");
    s.until(a, POLLIN);
    s.poll(a, every_bit);
    s.receive(a);
    s.note("shutdown", s.os().shutdown(b, SHUT_WR));
    s.until(a, POLLRDHUP);
    s.poll(a, every_bit);
    s.poll(b, every_bit);
    s.receive(a);
    s.note("shutdown", s.os().shutdown(a, 7));
  });
}

TEST(differential, bytes_and_the_end_of_a_unix_stream) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    s.poll(a, every_bit);
    s.receive(b);
    s.send(a, "hello");
    s.poll(b, every_bit);
    s.receive(b, 2);
    s.receive(b);
    s.receive(b);
    s.send(a, "last");
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.poll(a, every_bit);
    s.poll(b, every_bit);
    s.receive(b);
    s.receive(b);
    s.send(a, "more");
    s.send(b, "answer");
    s.receive(a);
    s.close(b);
    s.poll(a, every_bit);
    s.receive(a);
    s.send(a, "x");
  });
}

TEST(differential, the_bytes_that_have_arrived_are_counted) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    const auto count = [&s](int fd) {
      int n = -1;
      s.note("ioctl", s.os().bytes_arrived(fd, &n));
      s.note("bytes", n);
    };
    count(b);
    s.send(a, "twelve bytes");
    s.until(b, POLLIN);
    count(b);
    s.receive(b, 5);
    count(b);
    s.close(a);
    s.until(b, POLLRDHUP);
    count(b);
  });
}

TEST(differential, streams_take_no_addresses_and_tell_none) {
  expect_same([](session& s) {
    for (const auto& [a, b] : {s.tcp_pair(), s.unix_pair()}) {
      sockaddr_in nobody{.sin_family = AF_INET, .sin_port = htons(9)};
      const auto* const to = reinterpret_cast<sockaddr*>(&nobody);
      s.note("sendto", s.os().sendto(a, "hello", 5, MSG_NOSIGNAL, to, sizeof nobody));
      s.note("sendto", s.os().sendto(a, "world", 5, MSG_NOSIGNAL, nullptr, 0));
      s.until(b, POLLIN);
      std::string into(64, '\0');
      sockaddr_storage from{};
      socklen_t bytes = sizeof from;
      auto* const at = reinterpret_cast<sockaddr*>(&from);
      s.note("recvfrom", s.os().recvfrom(b, into.data(), 5, 0, at, &bytes));
      s.note("bytes", bytes);
    }
    const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
    s.note("connect", s.os().connect(s.unix_socket(), &nowhere, sizeof nowhere));
    const int e = s.keep(s.os().eventfd(0, 0));
    s.note("recvfrom", s.os().recvfrom(e, nullptr, 0, 0, nullptr, nullptr));
    s.note("sendto", s.os().sendto(-1, nullptr, 0, 0, nullptr, 0));
  });
}

TEST(differential, close_ends_the_peer_s_stream) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.send(a, "bye");
    s.close(a);
    s.until(b, POLLRDHUP);
    s.poll(b, every_bit);
    s.receive(b);
    s.receive(b);
    s.send(b, "to nobody");
    s.until(b, POLLERR);
    s.poll(b, every_bit);
    s.error_of(b);
    s.send(b, "x");
    s.receive(b);
  });
}

TEST(differential, close_with_unread_bytes_resets) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.send(b, "for a");
    s.send(a, "for b");
    s.until(a, POLLIN);
    s.until(b, POLLIN);
    s.close(a);
    s.until(b, POLLERR);
    s.poll(b, every_bit);
    s.receive(b);
    s.receive(b);
    s.receive(b);
    s.send(b, "x");
  });
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    s.send(b, "for a");
    s.send(a, "for b");
    s.close(a);
    s.poll(b, every_bit);
    s.receive(b);
    s.receive(b);
    s.receive(b);
    s.send(b, "x");
  });
}

TEST(differential, linger_zero_resets) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    const linger now{1, 0};
    s.note("setsockopt", s.os().setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof now));
    s.close(a);
    s.until(b, POLLERR);
    s.poll(b, every_bit);
    s.send(b, "x");
    s.send(b, "x");
    s.receive(b);
  });
}

TEST(differential, shutdown_of_the_reading_side) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.send(b, "kept");
    s.until(a, POLLIN);
    s.note("shutdown", s.os().shutdown(a, SHUT_RD));
    s.poll(a, every_bit);
    s.receive(a);
    s.receive(a);
    s.send(a, "still");
    s.until(b, POLLIN);
    s.receive(b);
  });
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    s.note("shutdown", s.os().shutdown(a, SHUT_RD));
    s.poll(a, every_bit);
    s.poll(b, every_bit);
    s.receive(a);
    s.send(b, "x");
    s.send(a, "y");
    s.receive(b);
  });
}

TEST(differential, connecting_says_how_it_goes) {
  expect_same([](session& s) {
    const int l = s.tcp_listener();
    const int c = s.connect_to(l);
    s.error_of(c);
    sockaddr_in at{};
    socklen_t bytes = sizeof at;
    s.note("getsockname", s.os().getsockname(l, reinterpret_cast<sockaddr*>(&at), &bytes));
    for (int i = 0; i < 3; ++i)
      s.note("connect", s.os().connect(c, reinterpret_cast<sockaddr*>(&at), bytes));
    s.note("getpeername", s.os().getpeername(c, reinterpret_cast<sockaddr*>(&at), &bytes));
    s.note("getpeername", s.os().getpeername(l, reinterpret_cast<sockaddr*>(&at), &bytes));
  });
}

TEST(differential, connecting_to_nobody_is_refused) {
  expect_same([](session& s) {
    const int l = s.tcp_listener();
    sockaddr_in at{};
    socklen_t bytes = sizeof at;
    s.os().getsockname(l, reinterpret_cast<sockaddr*>(&at), &bytes);
    s.close(l);
    const int c = s.tcp();
    s.os().connect(c, reinterpret_cast<sockaddr*>(&at), bytes);
    s.until(c, POLLOUT);
    s.poll(c, every_bit);
    s.error_of(c);
    s.error_of(c);
    s.receive(c);
    s.send(c, "x");
  });
  expect_same([](session& s) {
    const int l = s.unix_listener();
    sockaddr_un at{};
    socklen_t bytes = sizeof at;
    s.os().getsockname(l, reinterpret_cast<sockaddr*>(&at), &bytes);
    s.close(l);
    const int c = s.unix_socket();
    s.note("connect", s.os().connect(c, reinterpret_cast<sockaddr*>(&at), bytes));
    sockaddr_un nowhere{AF_UNIX, "/nowhere/at/all"};
    s.note("connect", s.os().connect(c, reinterpret_cast<sockaddr*>(&nowhere), sizeof nowhere));
  });
}

TEST(differential, sockets_without_a_connection) {
  expect_same([](session& s) {
    for (const int fd : {s.tcp(), s.unix_socket()}) {
      s.poll(fd, every_bit);
      s.receive(fd);
      s.send(fd, "x");
      s.note("shutdown", s.os().shutdown(fd, SHUT_WR));
      s.note("accept", s.os().accept4(fd, nullptr, nullptr, 0));
    }
    s.note("listen", s.os().listen(s.unix_socket(), 1));
    s.note("recv", s.os().recv(-1, nullptr, 0, 0));
    s.note("close", s.os().close(-1));
    const int e = s.keep(s.os().eventfd(0, 0));
    s.note("recv", s.os().recv(e, nullptr, 0, 0));
    s.note("listen", s.os().listen(e, 1));
  });
}

TEST(differential, accepting) {
  expect_same([](session& s) {
    for (const int l : {s.tcp_listener(), s.unix_listener()}) {
      s.poll(l, POLLIN | POLLOUT);
      s.note("accept", s.os().accept4(l, nullptr, nullptr, 0));
      const int first = s.connect_to(l);
      s.until(l, POLLIN);
      s.poll(l, POLLIN | POLLOUT);
      const int got = s.keep(s.os().accept4(l, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      s.note("F_GETFL", s.os().fcntl(got, F_GETFL));
      s.note("F_GETFD", s.os().fcntl(got, F_GETFD));
      s.note("accept", s.os().accept4(l, nullptr, nullptr, 0));
      s.send(first, "to the accepted one");
      s.until(got, POLLIN);
      s.receive(got);
      s.note("accept", s.os().accept4(l, nullptr, nullptr, 1));
    }
  });
}

TEST(differential, a_listener_that_closes_resets_who_waits_in_its_queue) {
  expect_same([](session& s) {
    for (const int l : {s.tcp_listener(), s.unix_listener()}) {
      const int c = s.connect_to(l);
      s.until(l, POLLIN);
      s.close(l);
      s.until(c, POLLIN);
      s.poll(c, every_bit);
      s.receive(c);
      s.receive(c);
    }
  });
}

TEST(differential, a_full_unix_queue_says_again) {
  expect_same([](session& s) {
    const int l = s.unix_listener(1);
    for (int i = 0; i < 4; ++i) s.connect_to(l, false);
  });
}

TEST(differential, names_are_taken_once) {
  expect_same([](session& s) {
    const int l = s.tcp_listener();
    sockaddr_in at{};
    socklen_t bytes = sizeof at;
    s.os().getsockname(l, reinterpret_cast<sockaddr*>(&at), &bytes);
    const auto* const to = reinterpret_cast<sockaddr*>(&at);
    const int second = s.tcp();
    s.note("bind", s.os().bind(second, to, bytes));
    const int on = 1;
    s.os().setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    s.note("bind", s.os().bind(second, to, bytes));
    s.note("bind", s.os().bind(l, to, bytes));
    s.close(l);
    s.note("bind", s.os().bind(second, to, bytes));
    at.sin_addr.s_addr = htonl(0x08080808);
    at.sin_port = 0;
    s.note("bind", s.os().bind(s.tcp(), to, bytes));
    s.note("bind", s.os().bind(s.tcp(), to, 4));
    at.sin_family = AF_UNIX;
    s.note("bind", s.os().bind(s.tcp(), to, bytes));
  });
}

TEST(differential, two_listeners_share_a_port_when_both_want_to) {
  expect_same([](session& s) {
    const int on = 1;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof at;
    const auto* const to = reinterpret_cast<sockaddr*>(&at);
    const int first = s.tcp();
    s.os().setsockopt(first, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    s.note("bind", s.os().bind(first, to, bytes));
    s.os().getsockname(first, reinterpret_cast<sockaddr*>(&at), &bytes);
    const int second = s.tcp();
    s.note("bind", s.os().bind(second, to, bytes));
    s.os().setsockopt(second, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    s.note("bind", s.os().bind(second, to, bytes));
    s.note("listen", s.os().listen(first, 1));
    s.note("listen", s.os().listen(second, 1));
  });
}

TEST(differential, options) {
  expect_same([](session& s) {
    for (const int fd : {s.tcp(), s.unix_socket()}) {
      const auto set = [&](int level, int name, int value) {
        s.note("set", s.os().setsockopt(fd, level, name, &value, sizeof value));
        int now = -1;
        socklen_t n = sizeof now;
        s.note("get", s.os().getsockopt(fd, level, name, &now, &n));
        s.note("it is", now);
      };
      set(SOL_SOCKET, SO_REUSEADDR, 5);
      set(SOL_SOCKET, SO_KEEPALIVE, 1);
      set(SOL_SOCKET, SO_SNDBUF, 10'000);
      set(SOL_SOCKET, SO_SNDBUF, 1);
      set(SOL_SOCKET, SO_RCVBUF, 10'000);
      set(SOL_SOCKET, SO_RCVBUF, 1);
      set(IPPROTO_TCP, TCP_NODELAY, 1);
      set(IPPROTO_TCP, TCP_KEEPIDLE, 17);
      set(IPPROTO_TCP, TCP_USER_TIMEOUT, 1234);
      int type = -1;
      socklen_t n = sizeof type;
      s.note("SO_TYPE", s.os().getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n));
      s.note("it is", type);
      s.note("set", s.os().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &type, 1));
      s.note("set", s.os().setsockopt(fd, 77, 77, &type, sizeof type));
    }
  });
}

}  // namespace
}  // namespace iolite_test

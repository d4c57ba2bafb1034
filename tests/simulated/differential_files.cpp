// What one call gives on the simulated kernel is what it gives on the real one: descriptors that
// are no sockets, and the calls that ask for readiness. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr short every_bit = POLLIN | POLLOUT | POLLRDHUP;

TEST(differential, eventfd) {
  expect_same([](session& s) {
    const int e = s.keep(s.os().eventfd(0, EFD_NONBLOCK));
    std::uint64_t n = 0;
    s.poll(e, every_bit);
    s.note("read", s.os().read(e, &n, sizeof n));
    n = 3;
    s.note("write", s.os().write(e, &n, sizeof n));
    s.note("write", s.os().write(e, &n, sizeof n));
    s.poll(e, every_bit);
    s.note("read", s.os().read(e, &n, 4));
    s.note("read", s.os().read(e, &n, sizeof n));
    s.note("it was", static_cast<long>(n));
    n = ~std::uint64_t{0};
    s.note("write", s.os().write(e, &n, sizeof n));
    --n;
    s.note("write", s.os().write(e, &n, sizeof n));
    s.poll(e, every_bit);
    n = 1;
    s.note("write", s.os().write(e, &n, sizeof n));
  });
}

TEST(differential, pipes) {
  expect_same([](session& s) {
    int p[2] = {-1, -1};
    s.note("pipe2", s.os().pipe2(p, O_NONBLOCK | O_CLOEXEC));
    s.keep(p[0]);
    s.keep(p[1]);
    char c[8] = {};
    s.poll(p[0], every_bit);
    s.poll(p[1], every_bit);
    s.note("read", s.os().read(p[0], c, sizeof c));
    s.note("write", s.os().write(p[1], "abc", 3));
    s.poll(p[0], every_bit);
    s.note("read", s.os().read(p[0], c, sizeof c));
    s.note("read", s.os().read(p[1], c, sizeof c));
    s.note("write", s.os().write(p[0], c, 1));
    s.note("F_GETFL", s.os().fcntl(p[1], F_GETFL));
    const std::string big(100'000, 'x');
    s.note("write", s.os().write(p[1], big.data(), big.size()));
    s.note("write", s.os().write(p[1], "x", 1));
    s.poll(p[1], every_bit);
    s.close(p[1]);
    s.poll(p[0], every_bit);
    std::string got(big.size(), '\0');
    s.note("read", s.os().read(p[0], got.data(), got.size()));
    s.note("read", s.os().read(p[0], c, sizeof c));
  });
}

TEST(differential, numbers_of_descriptors) {
  expect_same([](session& s) {
    const int a = s.tcp(), b = s.tcp();
    s.close(a);
    s.note("the lowest is free again", s.tcp() - a);
    const int d = s.keep(s.os().dup(b));
    s.note("F_GETFD", s.os().fcntl(d, F_GETFD));
    s.note("dup3", s.os().dup3(b, b, 0));
    s.note("dup3", s.os().dup3(-1, b, 0));
    s.note("dup", s.os().dup(-1));
    s.note("F_SETFL", s.os().fcntl(b, F_SETFL, 0));
    s.note("F_GETFL", s.os().fcntl(d, F_GETFL));
    s.note("close", s.os().close(1'000'000));
  });
}

// --- epoll ---

void report(session& s, int ep, int most = 8) {
  epoll_event e[8];
  const int n = s.os().epoll_wait(ep, e, most, 0);
  s.note("epoll_wait", n);
  for (int i = 0; i < n; ++i) s.note("  events", e[i].events);
}

int watch(session& s, int ep, int operation, int fd, unsigned events) {
  epoll_event e{.events = events, .data = {.fd = fd}};
  return s.os().epoll_ctl(ep, operation, fd, &e);
}

TEST(differential, epoll_level_edge_and_one_shot) {
  expect_same([](session& s) {
    const int ep = s.keep(s.os().epoll_create1(0));
    for (const unsigned mode : {0U, unsigned{EPOLLET}, unsigned{EPOLLONESHOT}}) {
      const auto [a, b] = s.unix_pair();
      s.note("add", watch(s, ep, EPOLL_CTL_ADD, b, EPOLLIN | mode));
      report(s, ep);
      s.send(a, "one");
      report(s, ep);
      report(s, ep);
      s.send(a, "two");
      report(s, ep);
      report(s, ep);
      s.note("mod", watch(s, ep, EPOLL_CTL_MOD, b, EPOLLIN | EPOLLOUT | mode));
      report(s, ep);
      report(s, ep);
      s.receive(b);
      report(s, ep);
      s.close(a);
      report(s, ep);
      report(s, ep);
      s.close(b);
      report(s, ep);
    }
  });
}

TEST(differential, epoll_refuses) {
  expect_same([](session& s) {
    const int ep = s.keep(s.os().epoll_create1(0));
    const auto [a, b] = s.unix_pair();
    s.note("mod", watch(s, ep, EPOLL_CTL_MOD, a, EPOLLIN));
    s.note("del", watch(s, ep, EPOLL_CTL_DEL, a, 0));
    s.note("add", watch(s, ep, EPOLL_CTL_ADD, a, EPOLLIN));
    s.note("add", watch(s, ep, EPOLL_CTL_ADD, a, EPOLLIN));
    s.note("add", watch(s, ep, EPOLL_CTL_ADD, ep, EPOLLIN));
    s.note("add", watch(s, ep, EPOLL_CTL_ADD, 9999, EPOLLIN));
    s.note("add", watch(s, b, EPOLL_CTL_ADD, a, EPOLLIN));
    epoll_event e;
    s.note("wait", s.os().epoll_wait(ep, &e, 0, 0));
    s.note("wait", s.os().epoll_wait(a, &e, 1, 0));
    s.note("wait", s.os().epoll_wait(9999, &e, 1, 0));
    const int other = s.keep(s.os().epoll_create1(0));
    s.note("nest", watch(s, other, EPOLL_CTL_ADD, ep, EPOLLIN));
    report(s, other);
    s.send(b, "x");
    report(s, other);
    s.note("duplicate", watch(s, ep, EPOLL_CTL_ADD, s.keep(s.os().dup(a)), EPOLLIN));
    report(s, ep);
    s.close(a);
    report(s, ep);
  });
}

TEST(differential, select_and_poll_know_closed_descriptors) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    fd_set read, write;
    const auto ask = [&](int r, int w) {
      FD_ZERO(&read);
      FD_ZERO(&write);
      if (r >= 0) FD_SET(r, &read);
      if (w >= 0) FD_SET(w, &write);
      timeval at_once{};
      s.note("select", s.os().select(1024, &read, &write, nullptr, &at_once));
      if (r >= 0) s.note("  read", FD_ISSET(r, &read) != 0);
      if (w >= 0) s.note("  write", FD_ISSET(w, &write) != 0);
    };
    ask(a, a);
    s.send(b, "x");
    ask(a, -1);
    s.close(b);
    ask(a, a);
    s.poll(b, POLLIN);
    ask(b, -1);
    s.note("poll", s.os().poll(nullptr, 0, 0));
    s.note("select", s.os().select(-1, nullptr, nullptr, nullptr, nullptr));
  });
}

}  // namespace
}  // namespace iolite_test

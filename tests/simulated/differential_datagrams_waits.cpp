// What one call gives on the simulated kernel is what it gives on the real one: how calls, select,
// epoll, selectors and rings wait for datagrams. See session.hpp.
#include "raw_ring.hpp"
#include "udp_session.hpp"

#include "kernel/faulty.hpp"
#include "selector/selector.hpp"

#include <gtest/gtest.h>

#include <array>
#include <sys/epoll.h>
#include <sys/time.h>

namespace iolite_test {
namespace {

using namespace iolite;

// Until all that was sent has arrived, here too: longer than anything takes within a host.
void let_them_arrive(session& s) {
  constexpr timespec soon{0, 1'000'000};
  s.os().nanosleep(&soon);
}

TEST(differential, read_and_write_on_datagram_sockets) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    connect(s, a, place_of(s, b));
    std::array<char, 8> into{};
    s.note("write", s.os().write(a, "text", 4));
    s.until(b, POLLIN);
    s.note("read", s.os().read(b, into.data(), 0));
    s.note("read", s.os().read(b, into.data(), 2));
    s.note("read", s.os().read(b, into.data(), 2));
    s.note("write", s.os().write(a, "", 0));
    s.until(b, POLLIN);
    s.note("read", s.os().read(b, into.data(), 2));
    s.note("write", s.os().write(a, "last", 4));
    s.until(b, POLLIN);
    s.note("recv", s.os().recv(b, into.data(), 0, 0));
    s.note("read", s.os().read(b, into.data(), 2));
  });
}

TEST(differential, datagram_sockets_that_wait) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s, 0);
    std::array<char, 8> into{};
    s.note("recv", s.os().recv(b, into.data(), into.size(), MSG_DONTWAIT));
    const timeval soon{0, 20'000};
    s.note("set", s.os().setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    const auto before = s.os().now();
    s.note("recv", s.os().recv(b, into.data(), into.size(), 0));
    s.note("late", s.os().now() - before >= std::chrono::milliseconds(20));
    send_to(s, a, "hello", place_of(s, b));
    s.note("recv", s.os().recv(b, into.data(), into.size(), 0));
  });
}

TEST(differential, a_full_receive_buffer_drops_datagrams_without_a_word) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    const int small = 4'000;
    s.os().setsockopt(b, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    const std::string bytes(1'000, 'x');
    for (int i = 0; i < 50; ++i) send_to(s, a, bytes, place_of(s, b));
    int got = 0;
    std::array<char, 2'000> into;
    let_them_arrive(s);
    while (s.os().recv(b, into.data(), into.size(), 0) == 1'000) ++got;
    s.note("some, not all", got > 1 && got < 15);
    send_to(s, a, "there is room again", place_of(s, b));
    s.until(b, POLLIN);
    s.receive(b);
  });
}

TEST(differential, planned_faults_hit_the_calls_of_datagrams) {
  expect_same([](session& s) {
    faulty os(s.os(), {{.what = call::sendto, .error = ENOBUFS},
                       {.what = call::recvfrom, .shorten_to = 2},
                       {.what = call::recvfrom, .nth = 2, .error = ENOMEM}});
    const int a = udp(s), b = bound(s);
    place to = place_of(s, b);
    for (int i = 0; i < 3; ++i) {
      s.note("sendto", os.sendto(a, "text", 4, 0, to.get(), to.bytes));
    }
    std::array<char, 8> into{};
    for (int i = 0; i < 3; ++i) {
      let_them_arrive(s);
      s.note("recvfrom", os.recvfrom(b, into.data(), into.size(), 0, nullptr, nullptr));
    }
    s.note("calls", static_cast<long>(os.calls(call::sendto) + os.calls(call::recvfrom)));
    s.note("faults", static_cast<long>(os.injected()));
  });
}

TEST(differential, select_tells_of_datagrams_and_errors) {
  expect_same([](session& s) {
    const int a = udp(s), b = bound(s);
    const auto select = [&](int fd) {
      fd_set in, out;
      FD_ZERO(&in);
      FD_ZERO(&out);
      FD_SET(fd, &in);
      FD_SET(fd, &out);
      timeval at_once{};
      s.note("select", s.os().select(fd + 1, &in, &out, nullptr, &at_once));
      s.note("  in", FD_ISSET(fd, &in) != 0);
      s.note("  out", FD_ISSET(fd, &out) != 0);
    };
    select(b);
    send_to(s, a, "", place_of(s, b));
    s.until(b, POLLIN);
    select(b);
    s.receive(b);
    select(b);
    const place gone = nobody(s);
    connect(s, a, gone);
    s.send(a, "x");
    s.until(a, POLLERR);
    select(a);
  });
}

TEST(differential, epoll_tells_of_datagrams_as_often_as_it_is_asked_to) {
  for (const unsigned mode : {0U, unsigned{EPOLLET}, unsigned{EPOLLONESHOT}}) {
    static unsigned how;
    how = mode;
    expect_same([](session& s) {
      const int a = udp(s), b = bound(s);
      const int set = s.keep(s.os().epoll_create1(EPOLL_CLOEXEC));
      epoll_event asked{.events = EPOLLIN | how, .data = {.u64 = 7}};
      s.note("add", s.os().epoll_ctl(set, EPOLL_CTL_ADD, b, &asked));
      const auto look = [&](int ms) {
        epoll_event e{};
        s.note("epoll_wait", s.os().epoll_wait(set, &e, 1, ms));
        s.note("  events", e.events);
      };
      look(0);
      for (int i = 0; i < 2; ++i) {
        send_to(s, a, "news", place_of(s, b));
        let_them_arrive(s);
        look(0);
        look(0);
      }
      s.receive(b);
      look(0);
      s.os().epoll_ctl(set, EPOLL_CTL_MOD, b, &asked);
      look(0);
      s.receive(b);
      look(0);
    });
  }
}

TEST(differential, selectors_watch_datagram_sockets) {
  for (const char* facility : {"select", "poll", "epoll", "signal"}) {
    static const char* name;
    name = facility;
    expect_same([](session& s) {
      iolite_selector* raw = nullptr;
      s.note("open", open_selector_on(s.os(), name, &raw));
      if (!raw) return;
      const int a = udp(s), b = bound(s);
      s.note("add", iolite_selector_add(raw, b, IOLITE_READ, nullptr));
      iolite_ready out[2];
      const auto look = [&](long long ns) {
        const int n = iolite_selector_wait(raw, out, 2, ns);
        s.note("wait", n);
        if (n > 0) s.note("  it is b", out[0].fd == b);
      };
      look(0);
      send_to(s, a, "", place_of(s, b));
      look(1'000'000'000);
      look(0);
      s.receive(b);
      look(0);
      s.note("modify", iolite_selector_modify(raw, b, IOLITE_WRITE, nullptr));
      look(1'000'000'000);
      s.note("remove", iolite_selector_remove(raw, b));
      iolite_selector_close(raw);
    });
  }
}

TEST(differential, rings_transfer_datagrams) {
  {
    iolite::ring real(kernel::real());
    if (real.open(2, IORING_SETUP_CLAMP) < 0) GTEST_SKIP() << "no io_uring on this machine";
  }
  expect_same([](session& s) {
    raw_ring r(s);
    const int a = udp(s, 0), b = bound(s, 0);
    connect(s, a, place_of(s, b));
    std::array<char, 4> one{}, two{}, three{};
    r.receive(1, b, one);
    r.send(2, a, "longer than four");
    r.expect(2);
    auto& poll = r.next(3, IORING_OP_POLL_ADD, b);
    poll.poll32_events = POLLIN;
    r.send(4, a, "");
    r.expect(2);
    r.receive(5, b, two);
    r.expect(1);
    r.receive(6, b, three);
    r.submit();
    r.cancel(7, 6);
    r.expect(2);
    s.close(b);
    r.send(8, a, "nobody is there");
    r.expect(1);
    s.until(a, POLLERR);
    r.receive(9, a, three);
    r.expect(1);
  });
}

}  // namespace
}  // namespace iolite_test

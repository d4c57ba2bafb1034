// What one call gives on the simulated kernel is what it gives on the real one: connections that
// are over on both sides, listeners that close, and how much a unix socket takes. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr short every_bit = POLLIN | POLLOUT | POLLRDHUP;

// Until it fails: the last acknowledgement changes nothing that poll(2) tells.
void shut_until_it_is_over(session& s, int fd) {
  constexpr timespec pause{0, 1'000'000};
  int r = 0;
  for (int tries = 0; r == 0 && tries < 1000; ++tries) {
    r = s.os().shutdown(fd, SHUT_WR);
    if (r == 0) s.os().nanosleep(&pause);
  }
  s.note("shutdown", r);
}

void tell_peer(session& s, int fd) {
  sockaddr_in at{};
  socklen_t bytes = sizeof at;
  s.note("getpeername", s.os().getpeername(fd, reinterpret_cast<sockaddr*>(&at), &bytes));
}

TEST(differential, a_tcp_connection_closed_on_both_sides_is_none_any_more) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.until(b, POLLRDHUP);
    tell_peer(s, b);
    s.note("shutdown", s.os().shutdown(b, SHUT_WR));
    s.until(a, POLLRDHUP);
    for (const int how : {int{SHUT_WR}, int{SHUT_RD}, int{SHUT_RDWR}, 7}) {
      s.note("shutdown", s.os().shutdown(a, how));
    }
    tell_peer(s, a);
    shut_until_it_is_over(s, b);
    tell_peer(s, b);
    for (const int fd : {a, b}) {
      s.poll(fd, every_bit);
      s.receive(fd);
      s.send(fd, "x");
      s.error_of(fd);
    }
  });
}

TEST(differential, a_unix_connection_closed_on_both_sides_is_shut_down_as_before) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.note("shutdown", s.os().shutdown(b, SHUT_WR));
    for (const int fd : {a, b}) s.note("shutdown", s.os().shutdown(fd, SHUT_WR));
    s.close(b);
    s.note("shutdown", s.os().shutdown(a, SHUT_RDWR));
  });
}

TEST(differential, bytes_that_wait_are_read_after_both_sides_have_closed) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    s.send(a, "from a");
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.until(b, POLLRDHUP);
    s.send(b, "from b");
    s.note("shutdown", s.os().shutdown(b, SHUT_WR));
    s.until(a, POLLRDHUP);
    s.note("shutdown", s.os().shutdown(a, SHUT_WR));
    s.receive(a);
    s.receive(a);
    shut_until_it_is_over(s, b);
    s.receive(b);
    s.receive(b);
  });
}

// Established for the client, and not yet in the listener's queue.
TEST(differential, a_listener_that_closes_resets_who_has_just_connected) {
  expect_same([](session& s) {
    for (const int l : {s.tcp_listener(), s.unix_listener()}) {
      const int c = s.connect_to(l);
      s.close(l);
      s.until(c, POLLIN);
      s.poll(c, every_bit);
      s.receive(c);
      s.receive(c);
      s.send(c, "x");
    }
  });
}

TEST(differential, a_listener_that_closes_leaves_nobody_in_silence) {
  expect_same([](session& s) {
    for (int i = 0; i < 8; ++i) {
      const int l = s.tcp_listener();
      const int c = s.connect_to(l, false);
      s.close(l);
      s.until(c, POLLIN);
      s.poll(c, every_bit);
      int e = 0;
      socklen_t n = sizeof e;
      s.os().getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &n);
      s.note("refused or reset", e == ECONNREFUSED || e == ECONNRESET);
    }
  });
}

TEST(differential, a_listener_that_is_shut_down_resets_who_has_just_connected) {
  expect_same([](session& s) {
    const int l = s.tcp_listener();
    const int c = s.connect_to(l);
    s.note("shutdown", s.os().shutdown(l, SHUT_RD));
    s.until(c, POLLIN);
    s.poll(c, every_bit);
    s.receive(c);
  });
}

// --- unix(7): each buffer of the kernel counts whole, until all of it is read ---

long fill(session& s, int fd, std::size_t piece) {
  const std::string bytes(piece, 'x');
  long sent = 0;
  for (long n = 1; n > 0; sent += std::max(n, 0L)) {
    n = s.os().send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  return sent;
}

TEST(differential, small_sends_fill_a_unix_socket_long_before_their_bytes_do) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    const long sent = fill(s, a, 1);
    s.note("hundreds", sent > 100 && sent < 500);
    s.poll(a, every_bit);
    s.note("send", s.os().send(a, "x", 1, MSG_NOSIGNAL));
    std::string into(static_cast<std::size_t>(sent), '\0');
    s.note("half", s.os().recv(b, into.data(), into.size() / 2, 0) == sent / 2);
    s.poll(a, every_bit);  // three quarters must be free
    s.send(a, "more");
    s.note("all", s.os().recv(b, into.data(), into.size(), 0) > sent / 2);
    s.poll(a, every_bit);
  });
}

TEST(differential, a_large_send_goes_beyond_the_buffer_of_a_unix_socket) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    const std::string bytes(1 << 20, 'x');
    s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    std::string into(40'000, '\0');
    // A buffer that is read in part takes up its room as before.
    s.note("recv", s.os().recv(b, into.data(), 36'000, 0));
    s.note("send", s.os().send(a, bytes.data(), 1, MSG_NOSIGNAL));
    s.note("recv", s.os().recv(b, into.data(), 544, 0));
    s.note("send", s.os().send(a, bytes.data(), 1, MSG_NOSIGNAL));
    s.poll(a, every_bit);
  });
}

TEST(differential, small_buffers_of_a_unix_socket) {
  expect_same([](session& s) {
    for (const int size : {1, 4096, 50'000}) {
      const auto [a, b] = s.unix_pair();
      s.note("set", s.os().setsockopt(a, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
      const std::string bytes(1 << 20, 'x');
      s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      s.poll(a, every_bit);
    }
  });
}

// --- send(2): whoever waits for room waits until all is taken ---

struct reader {
  kernel* os;
  int fd;
  std::size_t most;
  std::size_t got = 0;

  static void* read_all(void* me) {
    auto& r = *static_cast<reader*>(me);
    std::string into(65'536, '\0');
    for (long n = 1; n > 0 && r.got < r.most; r.got += static_cast<std::size_t>(std::max(n, 0L))) {
      n = r.os->recv(r.fd, into.data(), into.size(), 0);
    }
    return nullptr;
  }
};

TEST(differential, a_blocking_send_takes_all_of_it) {
  expect_same([](session& s) {
    const std::string bytes(8 << 20, 'x');
    for (const auto& [a, b] : {s.unix_pair(), s.tcp_pair()}) {
      for (const int fd : {a, b}) s.os().fcntl(fd, F_SETFL, 0);
      reader r{&s.os(), b, bytes.size()};
      const long thread = s.os().clone(reader::read_all, &r);
      s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      s.os().join(thread);
      s.note("read", static_cast<long>(r.got));
    }
  });
}

TEST(differential, a_blocking_send_tells_what_went_before_its_time_was_up) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    s.os().fcntl(a, F_SETFL, 0);
    const timeval limit{0, 20'000};
    s.note("set", s.os().setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    const std::string bytes(1 << 20, 'x');
    s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    s.close(b);
    s.note("send", s.os().send(a, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  });
}

TEST(differential, a_blocking_write_to_a_pipe_takes_all_of_it) {
  expect_same([](session& s) {
    int p[2] = {-1, -1};
    s.os().pipe2(p, O_CLOEXEC);
    s.keep(p[0]);
    s.keep(p[1]);
    struct drain {
      static void* read_all(void* me) {
        auto& r = *static_cast<reader*>(me);
        std::string into(10'000, '\0');
        while (r.got < r.most) {
          r.got +=
              static_cast<std::size_t>(std::max(r.os->read(r.fd, into.data(), into.size()), 0L));
        }
        return nullptr;
      }
    };
    const std::string bytes(300'000, 'x');
    reader r{&s.os(), p[0], bytes.size()};
    const long thread = s.os().clone(drain::read_all, &r);
    s.note("write", s.os().write(p[1], bytes.data(), bytes.size()));
    s.os().join(thread);
    s.note("read", static_cast<long>(r.got));
  });
}

}  // namespace
}  // namespace iolite_test

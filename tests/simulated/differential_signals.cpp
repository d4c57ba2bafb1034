// What one call gives on the simulated kernel is what it gives on the real one: signals that files
// send. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

namespace iolite_test {
namespace {

using namespace iolite;

const int ours = SIGRTMIN + 7;

// The signals of a script: blocked while it plays, and none is left after it.
class caught {
 public:
  explicit caught(session& s) : s_(s) {
    sigemptyset(&set_);
    sigaddset(&set_, ours);
    sigaddset(&set_, SIGIO);
    s_.note("sigprocmask", s_.os().sigprocmask(SIG_BLOCK, &set_, &before_));
  }
  caught(const caught&) = delete;
  caught& operator=(const caught&) = delete;
  ~caught() {
    for (const int fd : armed_) s_.os().fcntl(fd, F_SETFL, O_NONBLOCK);
    siginfo_t info;
    while (take(info) > 0) {
    }
    s_.os().sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

  void arm(int fd, int number = ours) {
    f_owner_ex me{F_OWNER_TID, s_.os().gettid()};
    s_.note("F_SETOWN_EX", s_.os().fcntl(fd, F_SETOWN_EX, reinterpret_cast<long>(&me)));
    s_.note("F_SETSIG", s_.os().fcntl(fd, F_SETSIG, number));
    const int flags = s_.os().fcntl(fd, F_GETFL);
    s_.note("F_SETFL", s_.os().fcntl(fd, F_SETFL, flags | O_ASYNC));
    s_.note("now", s_.os().fcntl(fd, F_GETFL));
    armed_.push_back(fd);
  }
  // All that wait, and what they say; of `fd`, so that numbers need not be equal. At least one is
  // waited for. Linux says some things twice: how often is not compared.
  void tell(int fd) {
    siginfo_t info{}, before{};
    const timespec soon{1, 0};
    int n = s_.os().sigtimedwait(&set_, &info, &soon);
    for (; n > 0; before = info, n = take(info)) {
      if (n == before.si_signo && info.si_code == before.si_code) continue;
      s_.note("signal", n - SIGRTMIN);
      s_.note("  code", info.si_code);
      if (n != SIGIO) s_.note("  band", info.si_band);
      if (n != SIGIO) s_.note("  of fd", info.si_fd - fd);
    }
    s_.note("then", n);
  }
  void none() {
    siginfo_t info{};
    s_.note("none", take(info));
  }

 private:
  int take(siginfo_t& info) {
    constexpr timespec at_once{};
    return s_.os().sigtimedwait(&set_, &info, &at_once);
  }
  session& s_;
  sigset_t set_{}, before_{};
  std::vector<int> armed_;
};

TEST(differential, signals_of_a_stream) {
  expect_same([](session& s) {
    for (const auto& [a, b] : {s.tcp_pair(), s.unix_pair()}) {
      caught signals(s);
      signals.arm(b);
      signals.none();
      s.send(a, "hello");
      signals.tell(b);
      s.receive(b, 2);
      signals.none();
      s.receive(b);
      s.send(b, "answer");
      s.until(a, POLLIN);
      s.receive(a);
      signals.none();
      s.note("shutdown", s.os().shutdown(a, SHUT_WR));
      signals.tell(b);
      s.note("own shutdown", s.os().shutdown(b, SHUT_RD));
      signals.none();
      s.close(b);
      s.close(a);
      signals.none();
    }
  });
}

TEST(differential, signals_of_datagrams) {
  expect_same([](session& s) {
    const auto make = [&] { return s.keep(s.os().socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)); };
    const int a = make(), b = make();
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof at;
    s.note("bind", s.os().bind(b, reinterpret_cast<sockaddr*>(&at), bytes));
    s.os().getsockname(b, reinterpret_cast<sockaddr*>(&at), &bytes);
    s.note("connect", s.os().connect(a, reinterpret_cast<sockaddr*>(&at), bytes));
    {
      caught signals(s);
      signals.arm(b);
      signals.none();
      s.send(a, "hello");
      signals.tell(b);
      s.receive(b);
      signals.none();
      s.note("shutdown", s.os().shutdown(a, SHUT_RD));
      signals.none();
      s.close(b);
    }
    caught signals(s);
    signals.arm(a);
    s.send(a, "nobody is there");
    signals.tell(a);
    s.error_of(a);
  });
}

TEST(differential, signals_of_a_stream_that_is_reset) {
  expect_same([](session& s) {
    const auto [a, b] = s.tcp_pair();
    caught signals(s);
    signals.arm(b);
    const linger now{1, 0};
    s.os().setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    s.close(a);
    signals.tell(b);
    s.poll(b, POLLIN);
  });
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    caught signals(s);
    signals.arm(b);
    s.close(a);
    signals.tell(b);
    s.poll(b, POLLIN);
  });
}

TEST(differential, signals_of_a_listener_and_of_who_connects) {
  expect_same([](session& s) {
    const int l = s.tcp_listener();
    caught signals(s);
    signals.arm(l);
    s.connect_to(l);
    signals.tell(l);
    s.keep(s.os().accept4(l, nullptr, nullptr, 0));
    signals.none();
    s.note("F_SETFL", s.os().fcntl(l, F_SETFL, O_NONBLOCK));
    s.connect_to(l);
    signals.none();
  });
}

TEST(differential, a_signal_says_that_there_is_room_again) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    caught signals(s);
    signals.arm(a);
    const std::string big(1 << 20, 'x');
    while (s.os().send(a, big.data(), big.size(), MSG_NOSIGNAL) > 0) {
    }
    signals.none();
    std::string into(big.size(), '\0');
    while (s.os().recv(b, into.data(), into.size(), 0) > 0) {
    }
    signals.tell(a);
    s.poll(a, POLLOUT);
  });
}

// unix(7) tells nobody but who has met a full buffer; poll(2) says long before that there is none.
TEST(differential, no_signal_says_that_there_is_room_where_no_send_has_found_none) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    caught signals(s);
    signals.arm(a);
    const std::string some(4096, 'x');
    pollfd p{a, POLLOUT, 0};
    while (s.os().poll(&p, 1, 0) == 1) s.os().send(a, some.data(), some.size(), MSG_NOSIGNAL);
    std::string into(1 << 20, '\0');
    while (s.os().recv(b, into.data(), into.size(), 0) > 0) {
    }
    s.poll(a, POLLOUT);
    signals.none();
  });
}

TEST(differential, signals_of_pipes_and_of_files_that_send_none) {
  expect_same([](session& s) {
    int p[2] = {-1, -1};
    s.os().pipe2(p, O_NONBLOCK | O_CLOEXEC);
    s.keep(p[0]);
    s.keep(p[1]);
    caught signals(s);
    signals.arm(p[0]);
    s.note("write", s.os().write(p[1], "abc", 3));
    s.note("write", s.os().write(p[1], "abc", 3));
    signals.tell(p[0]);
    s.close(p[1]);
    signals.tell(p[0]);
    const int e = s.keep(s.os().eventfd(0, EFD_NONBLOCK));
    signals.arm(e);
    const std::uint64_t one = 1;
    s.note("write", s.os().write(e, &one, sizeof one));
    signals.none();
  });
}

TEST(differential, a_file_has_one_owner_whatever_number_it_is_asked_by) {
  expect_same([](session& s) {
    const auto [a, b] = s.unix_pair();
    const int again = s.keep(s.os().dup(b));
    caught signals(s);
    signals.arm(b);
    signals.arm(again);
    s.send(a, "x");
    signals.tell(b);
    signals.arm(b, 0);
    s.send(a, "x");
    s.send(a, "x");
    signals.tell(b);
    f_owner_ex who{};
    s.note("F_GETOWN_EX", s.os().fcntl(b, F_GETOWN_EX, reinterpret_cast<long>(&who)));
    s.note("type", who.type);
    s.note("it is us", who.pid == s.os().gettid());
    s.note("F_GETSIG", s.os().fcntl(b, F_GETSIG));
    who = {F_OWNER_TID, 0x3fffffff};
    s.note("nobody", s.os().fcntl(b, F_SETOWN_EX, reinterpret_cast<long>(&who)));
    s.note("F_SETSIG", s.os().fcntl(b, F_SETSIG, 65));
    s.note("F_SETSIG", s.os().fcntl(b, F_SETSIG, -1));
    s.note("F_SETOWN_EX", s.os().fcntl(-1, F_SETOWN_EX, reinterpret_cast<long>(&who)));
  });
}

// All processes of a user share the limit: only none at all is the same everywhere.
TEST(differential, signals_that_find_no_room_become_one_sigio) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_SIGPENDING, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &none), 0);
  expect_same(
      [](session& s) {
        const auto [a, b] = s.unix_pair();
        caught signals(s);
        signals.arm(b);
        for (int i = 0; i < 3; ++i) s.send(a, "x");
        signals.tell(b);
        s.send(a, "x");
        signals.tell(b);
      },
      {.signals_max = 0});
  ASSERT_EQ(::setrlimit(RLIMIT_SIGPENDING, &before), 0);
}

TEST(differential, waiting_for_signals) {
  expect_same([](session& s) {
    caught signals(s);
    sigset_t empty;
    sigemptyset(&empty);
    timespec t{0, 1'000'000};
    s.note("in vain", s.os().sigtimedwait(&empty, nullptr, &t));
    t = {0, -1};
    s.note("nonsense", s.os().sigtimedwait(&empty, nullptr, &t));
    s.note("how", s.os().sigprocmask(77, &empty, nullptr));
    sigset_t now;
    s.note("ask", s.os().sigprocmask(77, nullptr, &now));
    s.note("SIGIO is blocked", sigismember(&now, SIGIO));
    s.note("SIGKILL", s.os().sigaction(SIGKILL, nullptr, nullptr));
    s.note("nonsense", s.os().sigaction(65, nullptr, nullptr));
  });
}

}  // namespace
}  // namespace iolite_test

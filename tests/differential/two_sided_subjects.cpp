// See subjects.hpp: those with two sides, of which one is watched.
#include "subject_tools.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace iolite_test::differential {
namespace {

// Two sides: what is written to one is read from the other.
class two_sided : public subject {
 public:
  two_sided(owned own, owned other, bool reads, bool writes)
      : own_(std::move(own)), other_(std::move(other)), reads_(reads), writes_(writes) {}
  int fd() const noexcept override { return own_; }

  bool happen(change c) override {
    switch (c) {
    case change::data: return reads_ && other_.is_open() && ::write(other_, "x", 1) == 1;
    case change::drain: return reads_ && drain(own_);
    case change::fill: return writes_ && fill(own_);
    case change::room: return writes_ && other_.is_open() && drain(other_);
    case change::end: return std::exchange(other_, owned()).is_open();
    case change::end_elsewhere: {
      if (!other_.is_open()) return false;
      other_process elsewhere(other_);
      other_.close();
      elsewhere.end();
      return true;
    }
    default: return false;
    }
  }

 protected:
  owned own_, other_;

 private:
  const bool reads_, writes_;
};

class socket_pair : public two_sided {
 public:
  using two_sided::two_sided;
  bool happen(change c) override {
    switch (c) {
    case change::half_end: return other_.is_open() && ::shutdown(other_, SHUT_WR) == 0;
    case change::own_half_end: return ::shutdown(own_, SHUT_WR) == 0;
    case change::own_end: return ::shutdown(own_, SHUT_RD) == 0;
    case change::urgent: return other_.is_open() && ::send(other_, "!", 1, MSG_OOB) == 1;
    case change::error: return other_.is_open() && make_error();
    case change::data:
      return other_.is_open() && ::send(other_, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    default: return two_sided::happen(c);
    }
  }

 private:
  bool make_error() {
    int type = 0, domain = 0;
    socklen_t n = sizeof type;
    ::getsockopt(own_, SOL_SOCKET, SO_TYPE, &type, &n);
    ::getsockopt(own_, SOL_SOCKET, SO_DOMAIN, &domain, &n);
    if (type == SOCK_DGRAM && domain == AF_INET) {  // nobody is there any more: ICMP says so
      other_.close();
      return ::send(own_, "x", 1, 0) == 1;
    }
    if (domain == AF_INET) {
      const linger now{1, 0};
      ::setsockopt(other_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (::send(own_, "x", 1, MSG_NOSIGNAL) != 1) {  // left unread: unix(7) resets
      return false;
    }
    other_.close();
    return true;
  }
};

std::unique_ptr<subject> make_tcp() {
  const owned listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in at = bound(listener);
  checked(::listen(listener, 1));
  owned a(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr int small = 16384;
  ::setsockopt(a, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  checked(connect_to(a, at));
  owned b(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  checked(::fcntl(a, F_SETFL, O_NONBLOCK));
  return std::make_unique<socket_pair>(std::move(a), std::move(b), true, true);
}

std::unique_ptr<subject> make_udp() {
  owned a = inet_socket(SOCK_DGRAM), b = inet_socket(SOCK_DGRAM);
  const sockaddr_in at_a = bound(a), at_b = bound(b);
  checked(connect_to(a, at_b));
  checked(connect_to(b, at_a));
  return std::make_unique<socket_pair>(std::move(a), std::move(b), true, false);
}

std::unique_ptr<subject> make_unix(int type) {
  int two[2];
  checked(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, two));
  return std::make_unique<socket_pair>(owned(two[0]), owned(two[1]), true, true);
}

std::unique_ptr<subject> make_pipe(bool reads) {
  int two[2];
  checked(::pipe2(two, O_NONBLOCK | O_CLOEXEC));
  owned reader(two[0]), writer(two[1]);
  if (reads) return std::make_unique<two_sided>(std::move(reader), std::move(writer), true, false);
  return std::make_unique<two_sided>(std::move(writer), std::move(reader), false, true);
}

std::unique_ptr<subject> make_fifo(bool reads) {
  const std::string path = in_folder("fifo");
  ::unlink(path.c_str());
  checked(::mkfifo(path.c_str(), 0600));
  owned reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  owned writer(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (reads) return std::make_unique<two_sided>(std::move(reader), std::move(writer), true, false);
  return std::make_unique<two_sided>(std::move(writer), std::move(reader), false, true);
}

// The line discipline moves on what was written, a moment later, and Linux tells nobody that there
// is room again: so it is full only when it stays so.
class terminal_subject : public two_sided {
 public:
  using two_sided::two_sided;
  bool happen(change c) override {
    bool any = two_sided::happen(c);
    for (int full = 0; c == change::fill && full < 5; ::poll(nullptr, 0, 1)) {
      const bool more = two_sided::happen(c);
      any = any || more;
      full = more ? 0 : full + 1;
    }
    return any;
  }
};

std::unique_ptr<subject> make_terminal(bool master_is_ours) {
  owned master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  checked(::grantpt(master));
  checked(::unlockpt(master));
  char name[64];
  checked(-::ptsname_r(master, name, sizeof name));
  owned slave(::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  termios raw{};
  checked(::tcgetattr(slave, &raw));
  ::cfmakeraw(&raw);
  checked(::tcsetattr(slave, TCSANOW, &raw));
  if (master_is_ours) std::swap(master, slave);
  return std::make_unique<terminal_subject>(std::move(slave), std::move(master), true, true);
}

}  // namespace

std::unique_ptr<subject> make_two_sided(kind k) {
  switch (k) {
  case kind::tcp: return make_tcp();
  case kind::unix_stream: return make_unix(SOCK_STREAM);
  case kind::unix_seqpacket: return make_unix(SOCK_SEQPACKET);
  case kind::unix_datagram: return make_unix(SOCK_DGRAM);
  case kind::udp: return make_udp();
  case kind::pipe_reader: return make_pipe(true);
  case kind::pipe_writer: return make_pipe(false);
  case kind::fifo_reader: return make_fifo(true);
  case kind::fifo_writer: return make_fifo(false);
  case kind::terminal: return make_terminal(false);
  case kind::terminal_master: return make_terminal(true);
  default: return nullptr;
  }
}

}  // namespace iolite_test::differential

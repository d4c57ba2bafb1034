// See subjects.hpp.
#include "subject_tools.hpp"

#include "iolite/selector.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace iolite_test::differential {
namespace {

constexpr std::array<std::string_view, changes> change_names = {
    "data",          "drain", "fill",   "room",         "half end", "end",
    "end elsewhere", "error", "urgent", "own half end", "own end"};
constexpr std::array<std::string_view, kinds> kind_names = {
    "TCP",          "unix stream",   "unix seqpacket", "unix datagram",   "UDP",
    "TCP listener", "unix listener", "TCP connecting", "pipe reader",     "pipe writer",
    "FIFO reader",  "FIFO writer",   "terminal",       "terminal master", "eventfd",
    "timerfd",      "pidfd",         "signalfd",       "inotify",         "epoll",
    "/dev/null",    "/dev/zero",     "file",           "directory"};

// --- sockets that listen or connect ---

class listener : public subject {
 public:
  explicit listener(bool is_unix) : is_unix_(is_unix) {
    if (!is_unix) {
      own_ = inet_socket(SOCK_STREAM);
      at_ = bound(own_);
    } else {
      own_ = owned(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const std::string name = in_folder("listener");
      ::unlink(name.c_str());
      path_.sun_family = AF_UNIX;
      name.copy(path_.sun_path, sizeof path_.sun_path - 1);
      checked(::bind(own_, reinterpret_cast<sockaddr*>(&path_), sizeof path_));
    }
    checked(::listen(own_, 8));
  }
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (c == change::data) return connect_one();
    if (c == change::own_end) return ::shutdown(own_, SHUT_RD) == 0;
    if (c != change::drain) return false;
    bool any = false;
    for (int fd; (fd = ::accept(own_, nullptr, nullptr)) >= 0; any = true) ::close(fd);
    return any;
  }

 private:
  bool connect_one() {
    owned client(::socket(is_unix_ ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const int r = is_unix_ ? ::connect(client, reinterpret_cast<sockaddr*>(&path_), sizeof path_)
                           : connect_to(client, at_);
    if (r < 0 && errno != EINPROGRESS) return false;
    clients_.push_back(std::move(client));
    return true;
  }
  const bool is_unix_;
  owned own_;
  sockaddr_in at_{};
  sockaddr_un path_{};
  std::vector<owned> clients_;
};

// A connection that is not yet made: refused, made (room), then as any.
class connecting : public subject {
 public:
  connecting() : own_(inet_socket(SOCK_STREAM)), listener_(inet_socket(SOCK_STREAM)) {
    at_ = bound(listener_);
    checked(::listen(listener_, 4));
  }
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (std::exchange(begun_, c == change::room || c == change::error || begun_)) return false;
    if (c == change::error) listener_.close();
    if (c != change::room && c != change::error) return false;
    return connect_to(own_, at_) == 0 || errno == EINPROGRESS || errno == ECONNREFUSED;
  }

 private:
  owned own_, listener_;
  sockaddr_in at_{};
  bool begun_ = false;
};

// --- what the kernel itself fills ---

class event_subject : public subject {
 public:
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (c == change::data) return add(1);
    if (c == change::fill) return add(~std::uint64_t{0} - 1);
    return (c == change::drain || c == change::room) && drain(own_);
  }

 private:
  bool add(std::uint64_t n) { return ::write(own_, &n, sizeof n) == sizeof n; }
  owned own_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
};

class timer_subject : public subject {
 public:
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (c == change::drain) return drain(own_);
    if (c != change::data) return false;
    const itimerspec soon{{0, 0}, {0, 1}};
    return ::timerfd_settime(own_, 0, &soon, nullptr) == 0;
  }

 private:
  owned own_{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
};

class process_subject : public subject {
 public:
  process_subject() : child_(0), own_(::syscall(SYS_pidfd_open, child_.pid(), 0)) {}
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (child_.pid() < 0) return false;
    if (c == change::data) {  // it takes a while to end, and is there until it is waited for
      siginfo_t how;
      return ::kill(child_.pid(), SIGKILL) == 0 &&
             ::waitid(P_PID, static_cast<id_t>(child_.pid()), &how, WEXITED | WNOWAIT) == 0;
    }
    if (c == change::end) return child_.end(), true;  // and nothing is left of it
    return false;
  }

 private:
  other_process child_;
  owned own_;
};

// SIGUSR2 is blocked in all threads of the program.
class signal_subject : public subject {
 public:
  signal_subject() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    own_ = owned(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    drain(own_);
  }
  ~signal_subject() override { drain(own_); }
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (c == change::data) return ::kill(::getpid(), SIGUSR2) == 0;
    return c == change::drain && drain(own_);
  }

 private:
  owned own_;
};

class inotify_subject : public subject {
 public:
  inotify_subject() { checked(::inotify_add_watch(own_, in_folder("").c_str(), IN_ATTRIB)); }
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    if (c == change::data) return ::utimensat(AT_FDCWD, in_folder("").c_str(), nullptr, 0) == 0;
    return c == change::drain && drain(own_);
  }

 private:
  owned own_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
};

class epoll_subject : public subject {
 public:
  epoll_subject() {
    epoll_event e{};
    e.events = EPOLLIN;
    checked(::epoll_ctl(own_, EPOLL_CTL_ADD, inner_.fd(), &e));
  }
  int fd() const noexcept override { return own_; }
  bool happen(change c) override {
    return (c == change::data || c == change::drain) && inner_.happen(c);
  }

 private:
  owned own_{::epoll_create1(EPOLL_CLOEXEC)};
  event_subject inner_;
};

class always_ready : public subject {
 public:
  always_ready(const char* path, int flags) : own_(::open(path, flags | O_CLOEXEC, 0600)) {}
  int fd() const noexcept override { return own_; }
  bool happen(change) override { return false; }

 private:
  owned own_;
};

}  // namespace

std::string_view name_of(change c) noexcept { return change_names[static_cast<std::size_t>(c)]; }
std::string_view name_of(kind k) noexcept { return kind_names[static_cast<std::size_t>(k)]; }

std::unique_ptr<subject> make_subject(kind k) {
  if (auto made = make_two_sided(k)) return made;
  switch (k) {
  case kind::tcp_listener: return std::make_unique<listener>(false);
  case kind::unix_listener: return std::make_unique<listener>(true);
  case kind::tcp_connecting: return std::make_unique<connecting>();
  case kind::event: return std::make_unique<event_subject>();
  case kind::timer: return std::make_unique<timer_subject>();
  case kind::process: return std::make_unique<process_subject>();
  case kind::signal: return std::make_unique<signal_subject>();
  case kind::inotify: return std::make_unique<inotify_subject>();
  case kind::epoll: return std::make_unique<epoll_subject>();
  case kind::null_device: return std::make_unique<always_ready>("/dev/null", O_RDWR);
  case kind::zero_device: return std::make_unique<always_ready>("/dev/zero", O_RDWR);
  case kind::file:
    return std::make_unique<always_ready>(in_folder("file").c_str(), O_RDWR | O_CREAT);
  case kind::directory: return std::make_unique<always_ready>(in_folder("").c_str(), O_RDONLY);
  default: throw std::system_error(EINVAL, std::system_category());
  }
}

state state_of(int fd, unsigned asked) {
  short events = 0;
  if (asked & IOLITE_READ) events |= POLLIN | POLLRDHUP;
  if (asked & IOLITE_WRITE) events |= POLLOUT;
  pollfd p{fd, events, 0};
  while (::poll(&p, 1, 0) < 0 && errno == EINTR) {
  }
  if (p.revents & (POLLHUP | POLLERR)) return {asked, true};
  state s;
  if (p.revents & (POLLIN | POLLRDHUP)) s.ready |= IOLITE_READ;
  if (p.revents & POLLOUT) s.ready |= IOLITE_WRITE;
  return s;
}

}  // namespace iolite_test::differential

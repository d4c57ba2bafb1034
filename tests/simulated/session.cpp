// See session.hpp.
#include "session.hpp"

#include "kernel/simulated/processes/process.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace iolite_test {

using namespace iolite;

session::~session() {
  for (const int fd : open_) os_.close(fd);
}

int session::keep(int fd) {
  if (fd >= 0) open_.push_back(fd);
  return fd;
}

void session::close(int fd) {
  std::erase(open_, fd);
  os_.close(fd);
}

long session::note(std::string_view what, long gave) {
  std::string line = std::string(what) + " = ";
  line += gave < 0 ? ::strerrorname_np(static_cast<int>(-gave)) : std::to_string(gave);
  lines_.push_back(std::move(line));
  return gave;
}

void session::poll(int fd, short events) {
  pollfd p{fd, events, 0};
  const int n = os_.poll(&p, 1, 0);
  std::string line = "poll = " + std::to_string(n);
  constexpr std::array<std::pair<short, const char*>, 6> names = {{{POLLIN, " IN"},
                                                                   {POLLOUT, " OUT"},
                                                                   {POLLERR, " ERR"},
                                                                   {POLLHUP, " HUP"},
                                                                   {POLLRDHUP, " RDHUP"},
                                                                   {POLLNVAL, " NVAL"}}};
  for (const auto& [bit, name] : names) {
    if ((p.revents & bit) != 0) line += name;
  }
  lines_.push_back(std::move(line));
}

void session::receive(int fd, std::size_t most) {
  std::string into(most, '\0');
  const long n = note("recv", os_.recv(fd, into.data(), into.size(), 0));
  if (n > 0) lines_.push_back("  " + into.substr(0, static_cast<std::size_t>(n)));
}

void session::send(int fd, std::string_view bytes) {
  note("send", os_.send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

void session::error_of(int fd) {
  int e = -1;
  socklen_t n = sizeof e;
  os_.getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n);
  note("SO_ERROR", -e);
}

void session::until(int fd, short events) {
  pollfd p{fd, events, 0};
  if (os_.poll(&p, 1, 1000) != 1) lines_.emplace_back("waited in vain");
}

int session::tcp() { return keep(os_.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)); }
int session::unix_socket() { return keep(os_.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)); }

int session::tcp_listener(int backlog) {
  const int fd = tcp();
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (os_.bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) < 0) lines_.emplace_back("no bind");
  if (os_.listen(fd, backlog) < 0) lines_.emplace_back("no listen");
  return fd;
}

int session::unix_listener(int backlog) {
  const int fd = unix_socket();
  static int number = 0;
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  const std::string name =
      "iolite-" + std::to_string(kernel::real().getpid()) + "-" + std::to_string(++number);
  std::memcpy(at.sun_path + 1, name.data(), name.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (os_.bind(fd, reinterpret_cast<sockaddr*>(&at), bytes) < 0) lines_.emplace_back("no bind");
  if (os_.listen(fd, backlog) < 0) lines_.emplace_back("no listen");
  return fd;
}

int session::connect_to(int listener, bool wait) {
  sockaddr_storage at{};
  socklen_t bytes = sizeof at;
  os_.getsockname(listener, reinterpret_cast<sockaddr*>(&at), &bytes);
  const int fd = at.ss_family == AF_INET ? tcp() : unix_socket();
  const int r = os_.connect(fd, reinterpret_cast<sockaddr*>(&at), bytes);
  if (r < 0 && r != -EINPROGRESS) note("connect", r);
  if (wait) until(fd, POLLOUT);
  return fd;
}

session::pair session::tcp_pair() {
  const int l = tcp_listener();
  const int a = connect_to(l);
  until(l, POLLIN);
  const int b = keep(os_.accept4(l, nullptr, nullptr, SOCK_NONBLOCK));
  close(l);
  return {a, b};
}

session::pair session::unix_pair() {
  int two[2] = {-1, -1};
  os_.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, two);
  return {keep(two[0]), keep(two[1])};
}

void expect_same(void (*script)(session&), const simulated_limits& limits) {
  session real(kernel::real());
  script(real);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    simulated::machine world(seed);
    simulated::host& at = world.net.add("host");
    simulated::process os(world, at, "script", 1024);
    world.rings.buffer_rings = true;
    world.rings.incremental_buffers = true;
    os.where().signals.queue_max = limits.signals_max;
    {
      session virtual_one(os);
      script(virtual_one);
      EXPECT_EQ(real.lines(), virtual_one.lines()) << "real one first; seed " << seed;
    }
    EXPECT_TRUE(os.unwind()) << "a child stands where it was";
    world.end();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace iolite_test

// See sockets.hpp.
#include "support/sockets.hpp"

#include "kernel/kernel.hpp"
#include "support/system.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace iolite_test {
namespace {

iolite::kernel& os() noexcept { return system_of_test(); }

constexpr int hang_limit_ms = 20'000;

[[noreturn]] void fail(const char* what, int error) {
  throw std::system_error(error, std::system_category(), what);
}

const sockaddr* native(const iolite::endpoint& e) noexcept {
  return static_cast<const sockaddr*>(e.native());
}

iolite::endpoint local_of(int fd) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  const int r = os().getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
  if (r < 0) fail("getsockname", -r);
  return iolite::endpoint::from_native(&address, bytes);
}

sockaddr_in loopback() noexcept {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

int bound_socket() {
  const int fd = os().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", -fd);
  const sockaddr_in a = loopback();
  const int r = os().bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a);
  if (r < 0) fail("bind", -r);
  return fd;
}

}  // namespace

void owned_fd::close() noexcept {
  if (fd_ >= 0) os().close(std::exchange(fd_, -1));
}

raw_socket::raw_socket(int fd) : fd_(fd) {
  set_recv_limit_ms(hang_limit_ms);
  const timeval t{hang_limit_ms / 1000, 0};
  os().setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

raw_socket raw_socket::connect(const iolite::endpoint& to) {
  raw_socket out;
  if (const int error = try_connect(to, out); error != 0) fail("connect", error);
  return out;
}

int raw_socket::try_connect(const iolite::endpoint& to, raw_socket& out) {
  const int fd = os().socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -fd;
  raw_socket made(fd);
  for (;;) {
    const int r = os().connect(fd, native(to), static_cast<socklen_t>(to.native_bytes()));
    if (r == 0) break;
    if (r != -EINTR) return -r;
  }
  out = std::move(made);
  return 0;
}

bool raw_socket::send_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    const long n = os().send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n == -EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t raw_socket::fill() const {
  const std::string chunk(65536, 'f');
  std::size_t sent = 0;
  for (std::size_t size = chunk.size(); size > 0;) {
    const long n = os().send(fd(), chunk.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
    else size /= 2;
  }
  return sent;
}

std::string raw_socket::recv_some(std::size_t max) const {
  std::string out(max, '\0');
  for (;;) {
    const long n = os().recv(fd(), out.data(), max, 0);
    if (n == -EINTR) continue;
    if (n < 0) fail("recv", static_cast<int>(-n));
    out.resize(static_cast<std::size_t>(n));
    return out;
  }
}

std::string raw_socket::recv_exactly(std::size_t bytes) const {
  std::string out;
  while (out.size() < bytes) {
    const std::string part = recv_some(bytes - out.size());
    if (part.empty())
      throw std::runtime_error("the stream ended after " + std::to_string(out.size()) + " bytes");
    out += part;
  }
  return out;
}

std::string raw_socket::recv_until_end() const {
  int error = 0;
  std::string out = recv_until_gone(error);
  if (error != 0) fail("recv", error);
  return out;
}

std::string raw_socket::recv_until_gone(int& error) const {
  std::string out;
  error = 0;
  try {
    for (;;) {
      const std::string part = recv_some();
      if (part.empty()) return out;
      out += part;
    }
  } catch (const std::system_error& e) {
    error = e.code().value();
    return out;
  }
}

void raw_socket::half_close() const noexcept { os().shutdown(fd(), SHUT_WR); }

void raw_socket::reset() noexcept {
  const linger hard{1, 0};
  os().setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void raw_socket::set_buffers(int send_bytes, int recv_bytes) const noexcept {
  os().setsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
  os().setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes);
}

void raw_socket::set_blocking(bool on) const noexcept { set_nonblocking(fd(), !on); }

void raw_socket::set_recv_limit_ms(int ms) const noexcept {
  const timeval t{ms / 1000, (ms % 1000) * 1000};
  os().setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

raw_listener::raw_listener(owned_fd fd) : fd_(std::move(fd)), address_(local_of(fd_.get())) {}

raw_listener::raw_listener(int backlog) : raw_listener(owned_fd(bound_socket())) {
  if (const int r = os().listen(this->fd(), backlog); r < 0) fail("listen", -r);
}

raw_listener raw_listener::on_unix(const std::string& path) {
  owned_fd fd(os().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  std::strncpy(a.sun_path, path.c_str(), sizeof a.sun_path - 1);
  int r = os().bind(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a);
  if (r == 0) r = os().listen(fd.get(), 128);
  if (r < 0) fail("bind or listen", -r);
  return raw_listener(std::move(fd));
}

raw_socket raw_listener::accept() const {
  for (;;) {
    const int fd = os().accept4(this->fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) return raw_socket(fd);
    if (fd != -EINTR) fail("accept", -fd);
  }
}

iolite::endpoint unused_address() {
  // Bound and never listening would refuse too, but its number could not be checked to be free.
  const owned_fd fd(bound_socket());
  return local_of(fd.get());
}

full_listener::full_listener() : listening(0), queued(raw_socket::connect(listening.address())) {
  for (owned_fd& w : waiting) {
    w = owned_fd(os().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    os().connect(w.get(), native(listening.address()),
                 static_cast<socklen_t>(listening.address().native_bytes()));
  }
}

raw_pair raw_unix_pair() {
  int two[2];
  const int r = os().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, two);
  if (r < 0) fail("socketpair", -r);
  return {raw_socket(two[0]), raw_socket(two[1])};
}

raw_pair raw_tcp_pair() {
  const raw_listener l;
  raw_socket a = raw_socket::connect(l.address());
  raw_socket b = l.accept();
  return {std::move(a), std::move(b)};
}

void set_nonblocking(int fd, bool on) noexcept {
  const int flags = os().fcntl(fd, F_GETFL);
  os().fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int open_descriptors() {
  if (const int n = simulated_descriptors(); n >= 0) return n;
  DIR* folder = ::opendir("/proc/self/fd");
  if (!folder) fail("/proc/self/fd", errno);
  int count = -3;  // ".", ".." and the folder itself
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

temporary_folder::temporary_folder() {
  static int made = 0;
  int r = -EEXIST;
  while (r == -EEXIST) {
    path_ = "/tmp/iolite." + std::to_string(::getpid()) + "." + std::to_string(++made);
    r = os().mkdir(path_.c_str(), 0700);
  }
  if (r < 0) fail("mkdir", -r);
}

temporary_folder::~temporary_folder() {
  if (is_simulated()) return;  // it goes with its world
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string temporary_folder::operator/(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

std::string pattern(std::size_t bytes, unsigned seed) {
  std::string out(bytes, '\0');
  std::uint32_t x = 2463534242U + seed;
  for (char& c : out) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    c = static_cast<char>(x);
  }
  return out;
}

}  // namespace iolite_test

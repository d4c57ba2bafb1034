// An echo server by hand: the selector says who is ready, plain system calls do the rest.
//
//   example_selector [FACILITY]      then: iolite connect :7001
#include <iolite/selector.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) < 0) return -1;
  return ::listen(fd, 128) < 0 ? -1 : fd;
}

// False: the connection is over. One message a turn, so that nobody starves.
bool answer(int fd) {
  char bytes[4096];
  const ssize_t n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  return ::send(fd, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
}

}  // namespace

int main(int argc, char** argv) {
  auto opened = iolite::selector<std::string>::open(argc > 1 ? argv[1] : "best");
  const int listener = listen_on(7001);
  if (!opened || listener < 0) {
    std::puts("no such facility here, or port 7001 is in use");
    return 1;
  }
  auto& selector = *opened;
  if (!selector.add(listener, iolite::interest::read, "the listener")) return 1;
  std::puts(("listening on 127.0.0.1:7001 (" + std::string(selector.name()) + ")").c_str());
  std::fflush(stdout);
  for (unsigned connections = 0;;) {
    const auto ready = selector.wait();
    if (!ready) return 1;
    for (const auto& key : *ready) {
      if (key.fd == listener) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        if (!selector.add(fd, iolite::interest::read, std::to_string(++connections))) ::close(fd);
      } else if (!answer(key.fd)) {
        std::printf("connection %s has ended\n", key.data.c_str());
        static_cast<void>(selector.remove(key.fd));  // before close()
        ::close(key.fd);
      }
    }
  }
}

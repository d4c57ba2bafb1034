// See by_hand.hpp.
#include "support/by_hand.hpp"

#include "support/options.hpp"
#include "support/sockets.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/core.h>
#include <iolite/selector.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace tutorial {

int accept_client(int listener) {
  static int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // to turn somebody away with
  const int client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client >= 0 || (errno != EMFILE && errno != ENFILE)) return client;
  // Left in the queue it would be reported again and again.
  ::close(spare);
  ::close(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  say("a client is refused: no descriptor is free");
  return -1;
}

void refuse_client(int client, int number, std::string_view facility, std::error_code why) {
  say(fmt::format("client {} is refused: {} cannot watch descriptor {}: {}", number, facility,
                  client, why.message()));
  ::close(client);
}

bool is_broken(int client) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0;
}

arrival receive(int client, std::string& message, std::size_t most) {
  message.resize(most);
  const ssize_t n = ::recv(client, message.data(), most, MSG_DONTWAIT);
  const int error = errno;
  message.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  if (n > 0) return arrival::bytes;
  if (n == 0) return arrival::end;
  return error == EAGAIN || error == EINTR ? arrival::nothing : arrival::reset;
}

long send_some(int client, std::string_view bytes) {
  const ssize_t n = ::send(client, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

namespace {

// Why the client is let go; empty: it stays.
std::string_view answer(int client) {
  std::string message;
  switch (receive(client, message)) {
  case arrival::nothing: return {};
  case arrival::end: return "has left";
  case arrival::reset: return "was reset";
  case arrival::bytes: break;
  }
  // To wait for one would be to let all wait; to keep what is left for later takes a queue.
  const bool sent = send_some(client, message) == static_cast<long>(message.size());
  return sent ? std::string_view() : "does not read its answers";
}

}  // namespace

void echo_with_read_list(std::string_view facility, const std::string& listen) {
  auto opened = iolite::selector<int>::open(facility);  // the data: a client's number
  if (!opened) fail(opened.error().message());
  auto& selector = *opened;
  on_stop([&selector] { selector.wake(); });
  const int listener = listen_on(listen);
  if (const auto added = selector.add(listener, iolite::interest::read); !added)
    fail(added.error().message());
  for (int clients = 0; !stopped();) {
    const auto ready = selector.wait();
    if (!ready) fail(ready.error().message());
    for (const auto& [fd, what, number] : *ready) {
      if (fd != listener) {
        const std::string_view why = answer(fd);
        if (why.empty()) continue;
        say(fmt::format("client {} {}", number, why));
        static_cast<void>(selector.remove(fd));  // first, since close() frees its number
        ::close(fd);
      } else if (const int client = accept_client(listener); client >= 0) {
        if (const auto added = selector.add(client, iolite::interest::read, ++clients); added)
          say(fmt::format("client {} has come, the read list has {}", clients, selector.size()));
        else refuse_client(client, clients, facility, added.error());
      }
    }
  }
}

}  // namespace tutorial

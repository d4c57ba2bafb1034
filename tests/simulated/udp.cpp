// See udp.hpp.
#include "udp.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>

namespace iolite_test {

using namespace iolite;

namespace {

// Of host::at().
sockaddr_in address_of(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
  const bool good = ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &out.sin_addr) == 1;
  simulate::check(good, "an address");
  return out;
}

const sockaddr* generic(const sockaddr_in& a) { return reinterpret_cast<const sockaddr*>(&a); }

template <class Call>
long again_if_interrupted(Call call) {
  for (;;) {
    if (const long r = call(); r != -EINTR) return r;
  }
}

}  // namespace

udp_socket::udp_socket(const context& c, const std::string& at, bool shared)
    : os_(c.on->os()), fd_(os_.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  simulate::check(fd_ >= 0, "a socket");
  if (at.empty()) return;
  const int on = shared ? 1 : 0;
  os_.setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in where = address_of(at);
  simulate::check(os_.bind(fd_, generic(where), sizeof where) == 0, "bound");
}

udp_socket::~udp_socket() { os_.close(fd_); }

void udp_socket::connect(const std::string& to) {
  const sockaddr_in where = address_of(to);
  simulate::check(os_.connect(fd_, generic(where), sizeof where) == 0, "connected");
}

task<std::optional<sockaddr_in>> udp_socket::receive(std::string& text, clock::duration patience) {
  for (;;) {
    sockaddr_in from{};
    const long r = try_receive(text, &from);
    if (r >= 0) co_return from;
    simulate::check(r == -EAGAIN, "nothing is there");
    const auto readable = co_await (ready(fd_, interest::read) | within(patience));
    if (readable) continue;
    simulate::check(readable.error() == std::errc::timed_out, "the world goes on");
    co_return std::nullopt;
  }
}

long udp_socket::try_receive(std::string& text, sockaddr_in* from) {
  std::array<char, 65'536> into;
  const long n = again_if_interrupted([&] {
    socklen_t bytes = sizeof *from;
    return os_.recvfrom(fd_, into.data(), into.size(), 0, reinterpret_cast<sockaddr*>(from),
                        from ? &bytes : nullptr);
  });
  text.assign(into.data(), n < 0 ? 0 : static_cast<std::size_t>(n));
  return n;
}

long udp_socket::send(std::string_view text) {
  return again_if_interrupted([&] { return os_.send(fd_, text.data(), text.size(), 0); });
}

long udp_socket::send_to(const std::string& to, std::string_view text) {
  return send_to(address_of(to), text);
}

long udp_socket::send_to(const sockaddr_in& to, std::string_view text) {
  return again_if_interrupted(
      [&] { return os_.sendto(fd_, text.data(), text.size(), 0, generic(to), sizeof to); });
}

task<> send_numbers(std::string to, int count) {
  udp_socket s(co_await here{}, {});
  for (int i = -1; i < count; ++i) {
    simulate::check(i < 0 || s.send_to(to, std::to_string(i)) > 0, "sent");
    const auto slept = co_await iolite::sleep(1ms);
    if (!slept) co_return;
  }
}

std::size_t times(const std::string& in, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = in.find(what, at)) != std::string::npos; ++at) ++n;
  return n;
}

}  // namespace iolite_test

// Addresses as simulated sockets know them, and how they are read from and written to programs.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <sys/socket.h>

namespace iolite::simulated {

using ip_bytes = std::array<std::uint8_t, 16>;

struct address {
  int family = AF_UNSPEC;
  ip_bytes ip{};  // IPv4 uses the first four
  std::uint16_t port = 0;
  std::uint32_t scope = 0;  // the interface of a link-local IPv6 address
  std::string path;  // unix; abstract names begin with a zero byte; empty: unnamed

  [[nodiscard]] bool is_wildcard() const noexcept { return ip == ip_bytes{}; }
  // Network interfaces of each host.
  static constexpr std::uint32_t loopback_interface = 1, network_interface = 2;

  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] bool is_link_local() const noexcept;
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool same_ip(const address& other) const noexcept {
    return family == other.family && ip == other.ip;
  }
};

// 0 or -errno, as bind(2) and connect(2) check it.
[[nodiscard]] int read_address(const sockaddr* from, socklen_t bytes, int family, address& out);
// AF_UNSPEC, by which connect(2) takes a peer away.
[[nodiscard]] inline bool leads_nowhere(const sockaddr* to, socklen_t bytes) noexcept {
  return bytes >= sizeof to->sa_family && to->sa_family == AF_UNSPEC;
}
// As getsockname(2): cut to the room there is, the full size in `bytes`. Of no family: nothing.
void write_address(const address& from, sockaddr* to, socklen_t* bytes);

}  // namespace iolite::simulated

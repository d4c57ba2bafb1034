// An address to listen on or connect to: IPv4 or IPv6 with a port, or the path of a unix socket.
//
//   127.0.0.1:7000   [::1]:7000   :7000 (loopback)   localhost:7000   unix:/run/x.sock
//   [fe80::1%eth0]:7000   (link-local, with the interface by name or number)
//
// Port 0 lets the system choose one, which listener::local() then reports. A unix path that starts
// with '@' is in Linux's abstract namespace: see unix(7).
#pragma once
#include "iolite/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace iolite {

class endpoint {
 public:
  // Empty: no address.
  endpoint() noexcept = default;

  // The error's message says what is wrong with `text` and what a correct address looks like.
  [[nodiscard]] static std::expected<endpoint, error> parse(std::string_view text);
  // Copies a sockaddr of at most 128 bytes.
  [[nodiscard]] static endpoint from_native(const void* address, std::size_t bytes) noexcept;

  // The inverse of parse(). An interface is printed by its number.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_unix() const noexcept;
  [[nodiscard]] bool is_tcp() const noexcept;
  // True for unix sockets and for addresses that only this machine can reach.
  [[nodiscard]] bool is_local() const noexcept;
  [[nodiscard]] std::uint16_t port() const noexcept;  // 0 for a unix socket
  void set_port(std::uint16_t port) noexcept;
  [[nodiscard]] std::string path() const;  // of a unix socket
  // The path of a unix socket's file, or null if it has none.
  [[nodiscard]] const char* socket_file() const noexcept;

  // The sockaddr, for system calls that this library does not wrap.
  [[nodiscard]] const void* native() const noexcept { return address_; }
  [[nodiscard]] std::size_t native_bytes() const noexcept { return bytes_; }
  [[nodiscard]] int family() const noexcept;

  friend bool operator==(const endpoint& a, const endpoint& b) noexcept;

 private:
  alignas(8) std::byte address_[128] = {};
  std::uint32_t bytes_ = 0;
};

}  // namespace iolite

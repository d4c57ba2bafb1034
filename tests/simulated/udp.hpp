// Datagram sockets of programs in simulated worlds, through the kernel interface: the library has
// no operations for them, but ready() waits for any descriptor.
#pragma once
#include "kernel/kernel.hpp"
#include "worlds.hpp"

#include <netinet/in.h>
#include <optional>
#include <string_view>

namespace iolite_test {

class udp_socket {
 public:
  // In the program that has the context `c`; bound to `at`, if given, and then perhaps with others.
  udp_socket(const iolite::context& c, const std::string& at, bool shared = false);
  udp_socket(const udp_socket&) = delete;
  udp_socket& operator=(const udp_socket&) = delete;
  ~udp_socket();

  void connect(const std::string& to);
  // The next datagram, and from where; nothing after so long.
  [[nodiscard]] iolite::task<std::optional<sockaddr_in>>
  receive(std::string& text, iolite::clock::duration patience = 1h);
  // --- at once, and again when a signal comes between: >= 0 or -errno ---
  long try_receive(std::string& text, sockaddr_in* from = nullptr);
  long send(std::string_view text);
  long send_to(const std::string& to, std::string_view text);
  long send_to(const sockaddr_in& to, std::string_view text);
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  iolite::kernel& os_;
  int fd_;
};

// A millisecond, then so many numbers, with a millisecond after each.
[[nodiscard]] iolite::task<> send_numbers(std::string to, int count);
[[nodiscard]] std::size_t times(const std::string& in, std::string_view what);

}  // namespace iolite_test

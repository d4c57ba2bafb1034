// Connections that a draining server has closed, and whose peers do not have all answers yet.
//
// A drain lets connections go while they still have input: nobody reads what comes after the stop.
// To close(2) such a socket resets the connection, and what was sent, but has not arrived, is lost.
// So it stays open until the peer has acknowledged everything: what the peer sends meanwhile is
// dropped. Then the end of the stream goes out, and only after it a reset, if the peer goes on.
//
// Nothing tells when a peer has acknowledged: one has to look. Not so with unix sockets, where what
// was sent is in the peer's queue already.
#pragma once
#include "kernel/kernel.hpp"

#include <vector>

namespace iolite {

// The lock of their table guards it.
class lingering {
 public:
  explicit lingering(kernel& os) noexcept : os_(os) {}
  lingering(const lingering&) = delete;
  lingering& operator=(const lingering&) = delete;
  ~lingering() { cut(); }

  // Takes over `fd`, which no engine knows. False: it is closed.
  bool take(int fd, bool tcp) noexcept;
  // Closes those that may be.
  void look() noexcept;
  // Closes all.
  void cut() noexcept;
  [[nodiscard]] bool empty() const noexcept { return fds_.empty(); }
  [[nodiscard]] unsigned size() const noexcept { return static_cast<unsigned>(fds_.size()); }

 private:
  bool end(int fd, bool tcp) noexcept;
  [[nodiscard]] bool is_gone(int fd) noexcept;
  void drop_input(int fd) noexcept;

  kernel& os_;
  std::vector<int> fds_;
};

}  // namespace iolite

// One little script of system calls, played on two kernels: what each call gives is written down,
// and must be the same.
#pragma once
#include "kernel/kernel.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace iolite_test {

class session {
 public:
  explicit session(iolite::kernel& os) : os_(os) {}
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session();

  // --- each writes a line, `recv = 5` or `recv = EAGAIN` ---
  long note(std::string_view what, long gave);
  void poll(int fd, short events);  // the bits, at once
  void receive(int fd, std::size_t most = 64);  // and the bytes
  void send(int fd, std::string_view bytes);
  void error_of(int fd);  // SO_ERROR

  // --- these write nothing but failures ---
  // Until one of `events` holds; at most a second.
  void until(int fd, short events);
  int tcp();
  int unix_socket();
  // A listener on a port, or a name, of its own.
  int tcp_listener(int backlog = 16);
  int unix_listener(int backlog = 16);
  int connect_to(int listener, bool wait = true);  // a new socket
  struct pair {
    int a, b;
  };
  pair tcp_pair();
  pair unix_pair();
  void close(int fd);
  int keep(int fd);  // closes it at the end

  [[nodiscard]] iolite::kernel& os() noexcept { return os_; }
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

 private:
  iolite::kernel& os_;
  std::vector<std::string> lines_;
  std::vector<int> open_;
};

// Plays it on the real kernel and on the simulated one, with several seeds.
struct simulated_limits {
  std::size_t signals_max = 1024;
};
void expect_same(void (*script)(session&), const simulated_limits& limits = {});

}  // namespace iolite_test

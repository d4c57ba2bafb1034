// The other side of a conversation, without the library: plain blocking sockets.
//
// Every wait has a hang limit of 20 s, after which the call fails: a test that hangs says where.
#pragma once
#include "iolite/endpoint.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace iolite_test {

// A descriptor that closes itself.
class owned_fd {
 public:
  owned_fd() noexcept = default;
  explicit owned_fd(int fd) noexcept : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~owned_fd() { close(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void close() noexcept;

 private:
  int fd_ = -1;
};

class raw_socket {
 public:
  raw_socket() noexcept = default;
  // Takes over a connected socket.
  explicit raw_socket(int fd);

  // Throws std::system_error when refused.
  static raw_socket connect(const iolite::endpoint& to);
  // Same, but tells instead of throwing: 0 or the errno.
  static int try_connect(const iolite::endpoint& to, raw_socket& out);

  // False once the peer is gone.
  bool send_all(std::string_view bytes) const;
  // Sends until the kernel's buffers are full; how many bytes that took.
  [[nodiscard]] std::size_t fill() const;
  // At most `max` bytes; empty at the end of the stream; throws std::system_error on an error.
  [[nodiscard]] std::string recv_some(std::size_t max = 65536) const;
  // Throws when the stream ends before.
  [[nodiscard]] std::string recv_exactly(std::size_t bytes) const;
  // Everything up to the end of the stream.
  [[nodiscard]] std::string recv_until_end() const;
  // Like recv_until_end, but a reset ends it too; the errno in `error` (0: a clean end).
  [[nodiscard]] std::string recv_until_gone(int& error) const;

  void half_close() const noexcept;
  // Closes with a reset: SO_LINGER 0.
  void reset() noexcept;
  void close() noexcept { fd_.close(); }
  void set_buffers(int send_bytes, int recv_bytes) const noexcept;
  void set_blocking(bool on) const noexcept;
  // How long a receive may wait before it fails; the default is the hang limit.
  void set_recv_limit_ms(int ms) const noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  [[nodiscard]] int release() noexcept { return fd_.release(); }

 private:
  owned_fd fd_;
};

// A listening socket on a port (or a unix path) of its own.
class raw_listener {
 public:
  explicit raw_listener(int backlog = 128);
  static raw_listener on_unix(const std::string& path);

  [[nodiscard]] const iolite::endpoint& address() const noexcept { return address_; }
  [[nodiscard]] raw_socket accept() const;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] int release() noexcept { return fd_.release(); }
  void close() noexcept { fd_.close(); }

 private:
  explicit raw_listener(owned_fd fd);
  owned_fd fd_;
  iolite::endpoint address_;
};

// An address of this machine where nobody listens.
[[nodiscard]] iolite::endpoint unused_address();

// A listener whose queue is full: a further connect stays pending until it is closed.
struct full_listener {
  full_listener();
  raw_listener listening;
  raw_socket queued;
  owned_fd waiting[2];
};

// socketpair(2), or a TCP connection over loopback.
struct raw_pair {
  raw_socket a;
  raw_socket b;
};
[[nodiscard]] raw_pair raw_unix_pair();
[[nodiscard]] raw_pair raw_tcp_pair();

void set_nonblocking(int fd, bool on) noexcept;
[[nodiscard]] int open_descriptors();

// A folder that is removed with what is in it, on the kernel that the test runs on.
class temporary_folder {
 public:
  temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder();
  [[nodiscard]] std::string operator/(std::string_view name) const;

 private:
  std::string path_;
};

// `bytes` bytes of which each position is recognisable.
[[nodiscard]] std::string pattern(std::size_t bytes, unsigned seed = 0);

}  // namespace iolite_test

// What the subjects are made of.
#pragma once
#include "subjects.hpp"

#include <netinet/in.h>
#include <string>
#include <utility>

namespace iolite_test::differential {

// Throws std::system_error on -1.
int checked(long r);

// A descriptor that closes itself.
class owned {
 public:
  owned() = default;
  explicit owned(long fd) : fd_(checked(fd)) {}
  owned(owned&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  owned& operator=(owned&& o) noexcept { return std::swap(fd_, o.fd_), *this; }
  ~owned() { close(); }
  void close();
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  operator int() const { return fd_; }

 private:
  int fd_ = -1;
};

// A child that holds one descriptor alone, until it is killed.
class other_process {
 public:
  explicit other_process(int fd);
  other_process(const other_process&) = delete;
  other_process& operator=(const other_process&) = delete;
  ~other_process() { end(); }
  void end();
  [[nodiscard]] int pid() const { return pid_; }

 private:
  int pid_;
};

// A path in a folder of this process's own, which goes when it ends.
[[nodiscard]] std::string in_folder(std::string_view name);

bool drain(int fd);  // takes all there is
bool fill(int fd);   // until there is no room

[[nodiscard]] owned inet_socket(int type);
// Binds it to a port of loopback.
[[nodiscard]] sockaddr_in bound(int fd);
int connect_to(int fd, const sockaddr_in& at);

// Null: not one of those with two sides.
[[nodiscard]] std::unique_ptr<subject> make_two_sided(kind k);

}  // namespace iolite_test::differential

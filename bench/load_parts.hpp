// What the load generator is made of: the bytes it sends, where to, and how it counts time.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using nanoseconds = std::int64_t;

[[noreturn]] inline void give_up(const std::string& what, const std::string& why) {
  throw std::runtime_error(what + ": " + why);
}
[[noreturn]] inline void give_up(const std::string& what, int error) {
  give_up(what, std::generic_category().message(error));
}

inline int must(int result, const char* what) {
  if (result < 0) give_up(what, errno);
  return result;
}

inline nanoseconds read_clock(clockid_t which) {
  timespec t{};
  if (clock_gettime(which, &t) != 0) give_up("clock_gettime", errno);
  return nanoseconds{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// What is sent: at offset n of connection c stands byte (n + 97 c) mod 4093 of a fixed text. A
// prime, so that a byte lost, doubled or swapped between connections shows.
class pattern {
 public:
  explicit pattern(std::size_t longest) : bytes_(period + longest) {
    std::uint32_t x = 2463534242;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      x ^= x << 13, x ^= x >> 17, x ^= x << 5;
      bytes_[i] = i < period ? static_cast<char>(x) : bytes_[i - period];
    }
  }
  const char* at(unsigned connection, std::uint64_t offset) const {
    return bytes_.data() + (offset + std::uint64_t{97} * connection) % period;
  }

 private:
  static constexpr std::size_t period = 4093;
  std::vector<char> bytes_;
};

// Latencies to 1.6 %: 64 steps for each power of two of nanoseconds.
class histogram {
 public:
  void add(nanoseconds t) {
    ++counts_[index(static_cast<std::uint64_t>(std::max<nanoseconds>(t, 0)))];
    ++total_;
  }
  double quantile_us(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted) return middle(i) / 1000;
    }
    return 0;
  }

 private:
  static std::size_t index(std::uint64_t t) {
    if (t < 128) return t;
    const auto shift = static_cast<unsigned>(std::bit_width(t)) - 7;
    return std::min<std::size_t>(std::size_t{64} * shift + (t >> shift), 64 * 64 - 1);
  }
  static double middle(std::size_t i) {
    if (i < 128) return static_cast<double>(i);
    const std::size_t shift = i / 64 - 1;
    return (static_cast<double>(i - 64 * shift) + 0.5) *
           static_cast<double>(std::uint64_t{1} << shift);
  }
  std::array<std::uint64_t, std::size_t{64} * 64> counts_{};
  std::uint64_t total_ = 0;
};

// Where the server listens.
class address {
 public:
  explicit address(const std::string& text) {
    if (text.starts_with("unix:")) {
      const std::string path = text.substr(5);
      if (path.empty() || path.size() >= sizeof unix_.sun_path) give_up(text, "no such path");
      unix_.sun_family = AF_UNIX;
      path.copy(unix_.sun_path, path.size());
    } else {
      const std::size_t colon = text.rfind(':');
      const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
      if (port <= 0 || port > 65535) give_up(text, "is neither 127.0.0.1:PORT nor unix:PATH");
      tcp_.sin_family = AF_INET;
      tcp_.sin_port = htons(static_cast<std::uint16_t>(port));
      tcp_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
  }
  // A socket connected to it.
  int connect() const {
    const bool tcp = tcp_.sin_family == AF_INET;
    const int fd = must(socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    if (!tcp) {
      must(::connect(fd, reinterpret_cast<const sockaddr*>(&unix_), sizeof unix_), "connect");
      return fd;
    }
    const int yes = 1;
    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "TCP_NODELAY");
    // Closing resets: 50,000 connections a second would leave no port that is not in TIME_WAIT.
    const linger reset{.l_onoff = 1, .l_linger = 0};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), "SO_LINGER");
    must(::connect(fd, reinterpret_cast<const sockaddr*>(&tcp_), sizeof tcp_), "connect");
    return fd;
  }

 private:
  sockaddr_in tcp_{};  // of the two, the one that has a family
  sockaddr_un unix_{};
};

// See address.hpp.
#include "kernel/simulated/sockets/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace iolite::simulated {

bool address::is_loopback() const noexcept {
  if (family == AF_INET) return ip[0] == 127;
  ip_bytes one{};
  one[15] = 1;
  return family == AF_INET6 && ip == one;
}

bool address::is_link_local() const noexcept {
  return family == AF_INET6 && ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

std::string address::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  switch (family) {
  case AF_INET:
    ::inet_ntop(AF_INET, ip.data(), text, sizeof text);
    return std::string(text) + ":" + std::to_string(port);
  case AF_INET6:
    ::inet_ntop(AF_INET6, ip.data(), text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(port);
  case AF_UNIX:
    if (path.empty()) return "unix:(unnamed)";
    return "unix:" + (path[0] == '\0' ? "@" + path.substr(1) : path);
  default: return "(no address)";
  }
}

int read_address(const sockaddr* from, socklen_t bytes, int family, address& out) {
  out = {};
  out.family = family;
  if (bytes < sizeof(sa_family_t)) return -EINVAL;
  if (from->sa_family != family) return family == AF_UNIX ? -EINVAL : -EAFNOSUPPORT;
  if (family == AF_INET) {
    if (bytes < sizeof(sockaddr_in)) return -EINVAL;
    sockaddr_in a;
    std::memcpy(&a, from, sizeof a);
    std::memcpy(out.ip.data(), &a.sin_addr, 4);
    out.port = ntohs(a.sin_port);
  } else if (family == AF_INET6) {
    if (bytes < sizeof(sockaddr_in6)) return -EINVAL;
    sockaddr_in6 a;
    std::memcpy(&a, from, sizeof a);
    std::memcpy(out.ip.data(), &a.sin6_addr, 16);
    out.port = ntohs(a.sin6_port);
    if (out.is_link_local()) out.scope = a.sin6_scope_id;  // elsewhere it means nothing
  } else {
    constexpr std::size_t head = offsetof(sockaddr_un, sun_path);
    if (bytes > sizeof(sockaddr_un)) return -EINVAL;
    const char* const text = reinterpret_cast<const char*>(from) + head;
    const std::size_t room = bytes > head ? bytes - head : 0;
    const bool abstract = room > 0 && text[0] == '\0';
    out.path.assign(text, abstract ? room : ::strnlen(text, room));
  }
  return 0;
}

void write_address(const address& from, sockaddr* to, socklen_t* bytes) {
  if (from.family == AF_UNSPEC) return void(*bytes = 0);
  sockaddr_storage all{};
  socklen_t size = sizeof(sa_family_t);
  all.ss_family = static_cast<sa_family_t>(from.family);
  if (from.family == AF_INET) {
    auto& a = reinterpret_cast<sockaddr_in&>(all);
    std::memcpy(&a.sin_addr, from.ip.data(), 4);
    a.sin_port = htons(from.port);
    size = sizeof a;
  } else if (from.family == AF_INET6) {
    auto& a = reinterpret_cast<sockaddr_in6&>(all);
    std::memcpy(&a.sin6_addr, from.ip.data(), 16);
    a.sin6_port = htons(from.port);
    a.sin6_scope_id = from.scope;
    size = sizeof a;
  } else if (!from.path.empty()) {
    auto& a = reinterpret_cast<sockaddr_un&>(all);
    std::memcpy(a.sun_path, from.path.data(), std::min(from.path.size(), sizeof a.sun_path));
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from.path.size());
    if (from.path[0] != '\0') ++size;
  }
  std::memcpy(to, &all, std::min(*bytes, size));
  *bytes = size;
}

}  // namespace iolite::simulated

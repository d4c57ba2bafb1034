// See endpoint.hpp. Parsing is strict: what is not one of the documented forms is refused with a
// line that shows a right one.
#include "iolite/endpoint.hpp"

#include "kernel/kernel.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace iolite {
namespace {

static_assert(sizeof(sockaddr_un) <= 128 && sizeof(sockaddr_in6) <= 128);

std::unexpected<error> bad(std::string_view text, std::string_view why) {
  std::string line = "address '";
  line += text;
  line += "': ";
  line += why;
  return std::unexpected(error{std::make_error_code(std::errc::invalid_argument), std::move(line)});
}

bool parse_port(std::string_view text, std::uint16_t& port) noexcept {
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value > 65535) return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

std::expected<endpoint, error> parse_unix(std::string_view text, std::string_view path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.empty()) return bad(text, "a path is missing, as in unix:/run/x.sock");
  if (path.size() >= sizeof a.sun_path) return bad(text, "a unix path has at most 107 bytes");
  if (path.find('\0') != path.npos) return bad(text, "a path contains no zero bytes");
  std::memcpy(a.sun_path, path.data(), path.size());
  std::size_t bytes = offsetof(sockaddr_un, sun_path) + path.size();
  if (path[0] == '@') a.sun_path[0] = '\0';  // abstract: the length ends the name
  else ++bytes;
  return endpoint::from_native(&a, bytes);
}

// if_nametoindex(3), by the kernel that this thread runs on. 0: there is none of this name.
std::uint32_t index_of_interface(std::string_view name) noexcept {
  ifreq r{};
  if (name.empty() || name.size() >= sizeof r.ifr_name) return 0;
  std::memcpy(r.ifr_name, name.data(), name.size());
  kernel& os = kernel::of_thread();
  const int fd = os.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  const int answer = os.interface_index(fd, &r);
  os.close(fd);
  return answer < 0 ? 0 : static_cast<std::uint32_t>(r.ifr_ifindex);
}

// What follows the '%': RFC 4007, section 11. 0: it names no interface.
std::uint32_t parse_zone(std::string_view zone) noexcept {
  std::uint32_t number = 0;
  const auto [end, ec] = std::from_chars(zone.data(), zone.data() + zone.size(), number);
  const bool is_number = ec == std::errc() && end == zone.data() + zone.size();
  return is_number ? number : index_of_interface(zone);
}

// `text` is all of it, `host` what stood in the brackets.
std::expected<endpoint, error> parse_inet6(std::string_view text, std::string_view host,
                                           std::uint16_t port) {
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_port = htons(port);
  const std::size_t percent = host.find('%');
  const std::string name(host.substr(0, percent));
  if (::inet_pton(AF_INET6, name.c_str(), &a.sin6_addr) != 1) {
    return bad(text, "not an IPv6 address; the form is [::1]:7000 or [fe80::1%eth0]:7000");
  }
  if (percent != host.npos) {
    a.sin6_scope_id = parse_zone(host.substr(percent + 1));
    if (a.sin6_scope_id == 0) {
      return bad(text, "what follows '%' is the name or the number of a network interface, as in "
                       "[fe80::1%eth0]:7000; `ip link` lists them");
    }
  }
  return endpoint::from_native(&a, sizeof a);
}

// `host` is without brackets; `v6` says that it stood in some.
std::expected<endpoint, error> parse_inet(std::string_view text, std::string_view host, bool v6,
                                          std::uint16_t port) {
  if (host.find('\0') != host.npos) return bad(text, "an address contains no zero bytes");
  if (v6) return parse_inet6(text, host, port);
  const std::string name(host.empty() || host == "localhost" ? "127.0.0.1" : host);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  if (::inet_pton(AF_INET, name.c_str(), &a.sin_addr) != 1) {
    return bad(text, "not an IPv4 address or localhost; the forms are 127.0.0.1:7000, [::1]:7000, "
                     "localhost:7000, :7000, unix:/run/x.sock");
  }
  return endpoint::from_native(&a, sizeof a);
}

}  // namespace

std::expected<endpoint, error> endpoint::parse(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text, text.substr(5));
  const std::size_t colon = text.rfind(':');
  const bool v6 = text.starts_with('[');
  const std::size_t bracket = text.find(']');
  if (v6 && (bracket == text.npos || colon != bracket + 1)) {
    return bad(text, "an IPv6 address stands in brackets before its port, as in [::1]:7000");
  }
  if (colon == text.npos) return bad(text, "a port is missing, as in 127.0.0.1:7000");
  if (!v6 && text.find(':') != colon) {
    return bad(text, "an IPv6 address stands in brackets, as in [::1]:7000");
  }
  std::uint16_t port = 0;
  if (!parse_port(text.substr(colon + 1), port))
    return bad(text, "the port is a number from 0 to 65535");
  const std::string_view host = v6 ? text.substr(1, bracket - 1) : text.substr(0, colon);
  return parse_inet(text, host, v6, port);
}

endpoint endpoint::from_native(const void* address, std::size_t bytes) noexcept {
  endpoint e;
  e.bytes_ = static_cast<std::uint32_t>(std::min(bytes, sizeof e.address_));
  std::memcpy(e.address_, address, e.bytes_);
  return e;
}

int endpoint::family() const noexcept {
  return bytes_ >= sizeof(sa_family_t) ? reinterpret_cast<const sockaddr*>(address_)->sa_family
                                       : AF_UNSPEC;
}

bool endpoint::is_unix() const noexcept { return family() == AF_UNIX; }

bool endpoint::is_tcp() const noexcept { return family() == AF_INET || family() == AF_INET6; }

std::uint16_t endpoint::port() const noexcept {
  // sin_port and sin6_port stand at the same place.
  return is_tcp() ? ntohs(reinterpret_cast<const sockaddr_in*>(address_)->sin_port)
                  : std::uint16_t{0};
}

void endpoint::set_port(std::uint16_t port) noexcept {
  if (is_tcp()) reinterpret_cast<sockaddr_in*>(address_)->sin_port = htons(port);
}

bool endpoint::is_local() const noexcept {
  if (family() == AF_INET) {
    const auto* a = reinterpret_cast<const sockaddr_in*>(address_);
    return (ntohl(a->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) {
    const auto* a = reinterpret_cast<const sockaddr_in6*>(address_);
    return IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
  }
  return is_unix();
}

std::string endpoint::path() const {
  constexpr std::size_t head = offsetof(sockaddr_un, sun_path);
  if (!is_unix() || bytes_ <= head) return {};
  const auto* a = reinterpret_cast<const sockaddr_un*>(address_);
  std::string p(a->sun_path, bytes_ - head);
  if (p[0] == '\0') p[0] = '@';
  else p.resize(std::min(p.size(), std::strlen(p.c_str())));
  return p;
}

const char* endpoint::socket_file() const noexcept {
  // What lies behind the address is zero, and ends its path.
  if (!is_unix() || bytes_ > sizeof(sockaddr_un)) return nullptr;
  const auto* a = reinterpret_cast<const sockaddr_un*>(address_);
  return a->sun_path[0] == '\0' ? nullptr : a->sun_path;
}

std::string endpoint::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  switch (family()) {
  case AF_INET:
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address_)->sin_addr, text,
                sizeof text);
    return std::string(text) + ":" + std::to_string(port());
  case AF_INET6: {
    const auto* const a = reinterpret_cast<const sockaddr_in6*>(address_);
    ::inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
    // By number: it is always valid, and needs no question to the system.
    const std::string zone = a->sin6_scope_id == 0 ? "" : "%" + std::to_string(a->sin6_scope_id);
    return "[" + (text + zone) + "]:" + std::to_string(port());
  }
  case AF_UNIX: return "unix:" + path();
  default: return "(no address)";
  }
}

bool operator==(const endpoint& a, const endpoint& b) noexcept {
  return a.bytes_ == b.bytes_ && std::equal(a.address_, a.address_ + a.bytes_, b.address_);
}

}  // namespace iolite

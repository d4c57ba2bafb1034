// What one call gives on the simulated kernel is what it gives on the real one: IPv6 addresses that
// mean something on one interface only. See session.hpp.
#include "session.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <net/if.h>
#include <netinet/in.h>

namespace iolite_test {
namespace {

using namespace iolite;

bool machine_has_ipv6() {
  kernel& os = kernel::real();
  const int fd = os.socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) return false;
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_addr = in6addr_loopback;
  const int r = os.bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
  os.close(fd);
  return r == 0;
}

TEST(differential, a_link_local_address_needs_its_interface) {
  if (!machine_has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  expect_same([](session& s) {
    const auto ipv6 = [&s] {
      return s.keep(s.os().socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
    };
    sockaddr_in6 at{};
    at.sin6_family = AF_INET6;
    at.sin6_addr.s6_addr[0] = 0xfe;
    at.sin6_addr.s6_addr[1] = 0x80;
    at.sin6_addr.s6_addr[15] = 0x77;  // nobody's
    const auto* const address = reinterpret_cast<sockaddr*>(&at);
    for (const unsigned interface : {0U, 1U, 1'000'000U}) {
      at.sin6_scope_id = interface;
      at.sin6_port = 0;
      s.note("bind", s.os().bind(ipv6(), address, sizeof at));
      at.sin6_port = htons(9);
      if (interface < 2) s.note("connect", s.os().connect(ipv6(), address, sizeof at));
    }
    at.sin6_addr = in6addr_loopback;  // elsewhere it means nothing
    at.sin6_scope_id = 1;
    at.sin6_port = 0;
    const int fd = ipv6();
    s.note("bind", s.os().bind(fd, address, sizeof at));
    socklen_t bytes = sizeof at;
    s.os().getsockname(fd, reinterpret_cast<sockaddr*>(&at), &bytes);
    s.note("interface", at.sin6_scope_id);
    ifreq r{};
    for (const char* name : {"lo", "no interface"}) {
      std::strcpy(r.ifr_name, name);
      s.note("SIOCGIFINDEX", s.os().interface_index(s.unix_socket(), &r));
      s.note("index", r.ifr_ifindex);
    }
  });
}

}  // namespace
}  // namespace iolite_test

// What is an address and what is not; the message for what is not shows what would be.
#include "iolite/endpoint.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/un.h>

namespace {

using namespace iolite;

struct good {
  const char* text;
  const char* printed;
  bool tcp;
  bool local;
  std::uint16_t port;
};

constexpr good goods[] = {
    {"127.0.0.1:7000", "127.0.0.1:7000", true, true, 7000},
    {"127.0.0.1:0", "127.0.0.1:0", true, true, 0},
    {"127.8.9.10:65535", "127.8.9.10:65535", true, true, 65535},
    {"0.0.0.0:80", "0.0.0.0:80", true, false, 80},
    {"192.0.2.1:1", "192.0.2.1:1", true, false, 1},
    {"[::1]:7000", "[::1]:7000", true, true, 7000},
    {"[::]:7000", "[::]:7000", true, false, 7000},
    {"[2001:db8::1]:443", "[2001:db8::1]:443", true, false, 443},
    {"[fe80::1%lo]:7000", "[fe80::1%1]:7000", true, false, 7000},
    {"[fe80::1%17]:7000", "[fe80::1%17]:7000", true, false, 7000},
    {"[fe80::1%4294967295]:7000", "[fe80::1%4294967295]:7000", true, false, 7000},
    {"[ff02::1%1]:7000", "[ff02::1%1]:7000", true, false, 7000},
    {":7000", "127.0.0.1:7000", true, true, 7000},
    {"unix:/run/x.sock", "unix:/run/x.sock", false, true, 0},
    {"unix:relative.sock", "unix:relative.sock", false, true, 0},
    {"unix:@abstract", "unix:@abstract", false, true, 0},
};

TEST(endpoint, good_ones_are_read_and_printed) {
  for (const good& g : goods) {
    SCOPED_TRACE(g.text);
    const auto e = endpoint::parse(g.text);
    ASSERT_TRUE(e) << e.error().message;
    EXPECT_EQ(e->to_string(), g.printed);
    EXPECT_EQ(e->is_tcp(), g.tcp);
    EXPECT_EQ(e->is_unix(), !g.tcp);
    EXPECT_EQ(e->is_local(), g.local);
    EXPECT_EQ(e->port(), g.port);
    const auto again = endpoint::parse(e->to_string());
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *e);
    EXPECT_EQ(endpoint::from_native(e->native(), e->native_bytes()), *e);
  }
}

TEST(endpoint, localhost_is_this_machine) {
  const auto e = endpoint::parse("localhost:7000");
  ASSERT_TRUE(e) << e.error().message;
  EXPECT_TRUE(e->is_local());
  EXPECT_TRUE(e->is_tcp());
  EXPECT_EQ(e->port(), 7000);
}

// Each message shows a form that is right.
TEST(endpoint, bad_ones_are_refused_with_what_would_be_right) {
  for (const char* text : {"",
                           ":",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:port",
                           "127.0.0.1:65536",
                           "[fe80::1%]:7000",
                           "[fe80::1%0]:7000",
                           "[fe80::1%4294967296]:7000",
                           "[fe80::1%-1]:7000",
                           "[fe80::1%no interface]:7000",
                           "[fe80::1%a-name-that-is-too-long]:7000",
                           "[%lo]:7000",
                           "127.0.0.1%lo:7000",
                           "127.0.0.1:-1",
                           "127.0.0.1:70 00",
                           "127.0.0.1:7000x",
                           "256.0.0.1:1",
                           "1.2.3:1x",
                           "::1:7000",
                           "[::1]",
                           "[::1]:",
                           "[::1:7000",
                           "[nonsense]:1",
                           "unix:",
                           "nonsense",
                           "http://127.0.0.1:80",
                           "127.0.0.1:+1",
                           "127.0.0.1: 1"}) {
    SCOPED_TRACE(text);
    const auto e = endpoint::parse(text);
    if (e) {
      ADD_FAILURE() << "read as " << e->to_string();
      continue;
    }
    EXPECT_TRUE(e.error().code);
    const std::string& m = e.error().message;
    EXPECT_EQ(m.find('\n'), std::string::npos);
    EXPECT_TRUE(m.find("127.0.0.1:") != std::string::npos ||
                m.find("unix:/") != std::string::npos || m.find("65535") != std::string::npos ||
                m.find("[::1]:") != std::string::npos ||
                m.find("[fe80::1%eth0]:") != std::string::npos)
        << "no right form in: " << m;
  }
}

TEST(endpoint, a_zero_byte_does_not_end_an_address) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"127.0.0.1\0junk:7000"sv, "[::1\0]:7000"sv, "unix:/a\0b"sv}) {
    const auto e = endpoint::parse(text);
    EXPECT_FALSE(e.has_value()) << "read as " << e->to_string();
  }
}

TEST(endpoint, a_unix_path_that_is_too_long_is_refused) {
  const std::string longest(sizeof(sockaddr_un::sun_path) - 1, 'x');
  EXPECT_TRUE(endpoint::parse("unix:" + longest));
  const auto e = endpoint::parse("unix:" + longest + "x");
  ASSERT_FALSE(e);
  EXPECT_NE(e.error().message.find("10"), std::string::npos)
      << "it names the limit: " << e.error().message;
}

TEST(endpoint, the_path_of_a_unix_endpoint) {
  EXPECT_EQ(endpoint::parse("unix:/run/x.sock")->path(), "/run/x.sock");
  EXPECT_EQ(endpoint::parse("unix:@name")->path(), "@name");
}

TEST(endpoint, the_port_can_be_set) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    auto e = endpoint::parse(text);
    ASSERT_TRUE(e);
    e->set_port(4242);
    EXPECT_EQ(e->port(), 4242);
    EXPECT_NE(*e, *endpoint::parse(text));
  }
}

TEST(endpoint, none_is_nothing) {
  const endpoint none;
  EXPECT_FALSE(none.is_tcp());
  EXPECT_FALSE(none.is_unix());
  EXPECT_EQ(none.port(), 0);
  EXPECT_EQ(none, endpoint());
  static_cast<void>(none.to_string());
}

TEST(endpoint, an_address_of_the_system_that_is_cut_short_does_no_harm) {
  const auto e = endpoint::parse("127.0.0.1:80");
  ASSERT_TRUE(e);
  for (std::size_t n = 0; n < e->native_bytes(); ++n) {
    static_cast<void>(endpoint::from_native(e->native(), n).to_string());
  }
}

}  // namespace

// Hooks of the program: before a socket is bound, and after a connection is accepted.
#include "setting.hpp"

#include "support/streams.hpp"

#include <stdexcept>
#include <sys/socket.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(around, a_hook_refuses_connections_and_sets_options) {
  serve_options o = options();
  notes& n = seen();
  o.on_accept = [&n](stream& s) {
    const auto set = s.set_option(SOL_SOCKET, SO_KEEPALIVE, 1);
    if (!set || !s.peer().is_tcp()) ++n.failures;
    const unsigned call = ++n.calls;
    if (call == 2) throw std::runtime_error("not you");
    return call > 2;
  };
  const auto out = play(echo, o, [](const service& server) -> task<> {
    for (int i = 0; i < 2; ++i) {
      stream refused = co_await connected(server.at);
      const auto end = co_await receive_until_end(refused);
      EXPECT_TRUE(end && end->empty());
    }
    stream s = co_await connected(server.at);
    co_await expect_echo(s, "hello");
  });
  EXPECT_EQ(n.failures, 0U);
  EXPECT_EQ(out.report.connections, 1U);
  EXPECT_EQ(out.report.connections_refused, 2U);
  EXPECT_TRUE(out.says("on_accept failed, the connection is refused: not you"));
}

TEST_P(around, a_hook_may_close_a_connection_or_take_it) {
  serve_options o = options();
  notes& n = seen();
  o.on_accept = [&n](stream& s) {
    const unsigned call = ++n.calls;
    if (call == 1) s.close();
    if (call == 2) static_cast<void>(stream(std::move(s)));
    return true;
  };
  const auto out = play(echo, o, [](const service& server) -> task<> {
    for (int i = 0; i < 2; ++i) {
      stream refused = co_await connected(server.at);
      const auto end = co_await receive_until_end(refused);
      EXPECT_TRUE(end && end->empty());
    }
    stream s = co_await connected(server.at);
    co_await expect_echo(s, "hello");
  });
  EXPECT_EQ(out.report.connections, 1U);
  EXPECT_EQ(out.report.connections_refused, 2U);
}

TEST_P(around, a_hook_sees_each_socket_before_it_is_bound) {
  serve_options o = options();
  notes& n = seen();
  o.sockets.before_bind = [&n](unbound_socket& s) -> result<void> {
    ++n.calls;
    if (s.number() < 0 || !s.address().is_tcp()) ++n.failures;
    return s.set_option(SOL_SOCKET, SO_RCVBUF, 65'536);
  };
  const auto out = play(echo, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    co_await expect_echo(s, "hello");
  });
  EXPECT_EQ(out.error, "");
  EXPECT_EQ(n.failures, 0U);
  const bool one_queue = blocking() && placed() == placement::prefork;
  EXPECT_EQ(n.calls, one_queue ? 1U : loops());
}

TEST_P(around, a_hook_that_fails_says_so) {
  serve_options o = options();
  o.sockets.before_bind = [](unbound_socket&) -> result<void> {
    return std::unexpected(std::make_error_code(std::errc::operation_not_permitted));
  };
  const auto out = play(echo, o, [](const service&) -> task<> { co_return; });
  EXPECT_NE(out.error.find("before_bind: Operation not permitted"), std::string::npos) << out.error;
}

}  // namespace
}  // namespace iolite_test

// The counters of a server, while it runs.
#include "setting.hpp"

#include "support/eventually.hpp"
#include "support/served.hpp"
#include "support/sockets.hpp"
#include "support/streams.hpp"

#include <csignal>
#include <cstdlib>
#include <thread>

namespace iolite_test {
namespace {

using namespace iolite;

server_task tells(notes& n) {
  return [&n](serving& server) -> task<> {  // tidy: allow captures, it is kept
    for (ticker every(1ms);;) {
      const serve_report r = server.report();
      n.now = r.connections_now;
      n.connections = r.connections;
      const auto tick = co_await every.next();
      if (!tick) break;
    }
  };
}

TEST_P(around, a_task_reads_how_many_connections_there_are) {
  serve_options o = options();
  notes& n = seen();
  o.beside = {{tells(n), once_per::server}};
  const auto out =
      play(echo, o, [&n](const service& server) -> task<> {  // tidy: allow captures, kept
        stream first = co_await connected(server.at), second = co_await connected(server.at);
        co_await expect_echo(first, "one");
        co_await expect_echo(second, "two");
        const bool two = co_await comes_true([&n] { return n.now == 2; });
        EXPECT_TRUE(two) << n.now;
        first.close();
        const bool one = co_await comes_true([&n] { return n.now == 1; });
        EXPECT_TRUE(one) << n.now;
        EXPECT_EQ(n.connections, 2U);
        second.close();
        const bool none = co_await comes_true([&n] { return n.now == 0; });
        EXPECT_TRUE(none) << n.now;
      });
  EXPECT_EQ(out.report.connections, 2U);
  EXPECT_EQ(out.report.connections_now, 0U);
}

TEST_P(around, silent_connections_are_counted) {
  serve_options o = options();
  o.idle_timeout = 20ms;
  const auto out = play(echo, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    const auto end = co_await receive_until_end(s);
    EXPECT_TRUE(end && end->empty());
  });
  EXPECT_EQ(out.report.transfers_timed_out, 1U);
}

// A limit of its own is no limit of the connection.
task<> gives_up(stream peer) {
  char c = 0;
  const auto got = co_await (peer.recv(std::as_writable_bytes(std::span(&c, 1))) | within(5ms));
  EXPECT_FALSE(got);
}

TEST_P(around, what_a_handler_gives_up_is_not_counted) {
  serve_options o = options();
  o.idle_timeout = 10s;
  const auto out = play(gives_up, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    const auto end = co_await receive_until_end(s);
    EXPECT_TRUE(end && end->empty());
  });
  EXPECT_EQ(out.report.connections, 1U);
  EXPECT_EQ(out.report.transfers_timed_out, 0U);
}

task<> echo_or_abort(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got || got->empty()) co_return;
    if (*got == "abort") std::abort();
    const auto sent = co_await send_text(peer, *got);
    if (!sent) co_return;
  }
}

TEST(serve_counters, a_worker_that_crashes_has_no_connections) {
  serve_options o;
  o.model = "poll/prefork";
  o.workers = 2;
  notes& n = shared_notes();
  o.beside = {{tells(n), once_per::loop}};
  served server(echo_or_abort, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_TRUE(peer.send_all("x"));
  EXPECT_EQ(peer.recv_exactly(1), "x");
  const auto tells_of = [&n](std::uint64_t connections) {
    return eventually([&] { return n.now == connections; });
  };
  EXPECT_TRUE(tells_of(1));
  EXPECT_TRUE(peer.send_all("abort"));
  EXPECT_TRUE(tells_of(0)) << "it counts a connection that is gone";
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().children_restarted, 1U);
}

// --- from another thread ---

TEST(serve_meter, is_read_by_any_thread_before_while_and_after) {
  serve_meter meter;
  serve_stop stop;
  std::atomic<std::uint16_t> port = 0;
  serve_options o;
  o.model = "poll/shared";
  o.signals = false;
  o.stop = &stop;
  o.meter = &meter;
  o.on_listening = [&](const model_choice&, const std::vector<endpoint>& at) {
    port = at.front().port();
  };
  EXPECT_EQ(meter.read().connections, 0U);
  std::expected<serve_report, error> last;
  std::thread serving([&] { last = serve(echo, o); });
  while (port == 0) std::this_thread::yield();
  const auto to = endpoint::parse("127.0.0.1:" + std::to_string(port));
  const raw_socket peer = raw_socket::connect(*to);
  EXPECT_TRUE(peer.send_all("x"));
  EXPECT_EQ(peer.recv_exactly(1), "x");
  EXPECT_EQ(meter.read().connections, 1U);
  EXPECT_EQ(meter.read().connections_now, 1U);
  stop.request();
  serving.join();
  EXPECT_TRUE(last);
  EXPECT_EQ(meter.read().connections, 1U) << "it stays what it was";
  EXPECT_EQ(meter.read().connections_now, 0U);
}

}  // namespace
}  // namespace iolite_test

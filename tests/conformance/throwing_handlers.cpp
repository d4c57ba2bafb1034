// No peer stops a server: a handler that throws ends its own connection, wherever it is.
#include "serve_test.hpp"

#include "support/streams.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> pauses(std::atomic<int>& running) {
  ++running;
  static_cast<void>(co_await iolite::sleep(1h));
  --running;
}

// Answers numbers while a child does something else; what is not a number makes std::stoi throw
// while the child still waits.
task<> counts(stream peer) {
  std::atomic<int> running = 0;
  co_await in_scope([&](iolite::scope& children) -> task<> {
    children.spawn(pauses(running));
    for (;;) {
      const auto got = co_await receive(peer);
      if (!got || got->empty()) break;
      const std::string next = std::to_string(std::stoi(*got) + 1);
      const auto sent = co_await send_text(peer, next);
      if (!sent) break;
    }
    children.cancel();
  });
}

void expect_next(const raw_socket& peer, const std::string& number, const std::string& next) {
  peer.send_all(number);
  EXPECT_EQ(peer.recv_exactly(next.size()), next);
}

TEST_P(serve, a_handler_that_throws_while_its_children_run_ends_its_connection_only) {
  served server(counts, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket good = server.connect();
  expect_next(good, "1", "2");
  for (int i = 0; i < 3; ++i) {
    const raw_socket bad = server.connect();
    expect_next(bad, "41", "42");
    bad.send_all("abc");
    EXPECT_EQ(bad.recv_until_end(), "");
  }
  expect_next(good, "2", "3");
  expect_next(server.connect(), "7", "8");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 3U);
}

}  // namespace
}  // namespace iolite_test

// What handlers and the program learn of a drain, and what they say to their peers then.
#include "setting.hpp"

#include "support/streams.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

// Echoes until the end of the stream; says whether that is a drain.
task<> chat(stream peer, serving& server) {
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got) co_return;
    if (got->empty()) break;
    const auto sent = co_await send_text(peer, *got);
    if (!sent) co_return;
  }
  const auto sent = co_await send_text(peer, server.draining() ? "going down" : "you left");
  EXPECT_TRUE(sent);
}

TEST_P(around, a_handler_knows_whether_its_peer_or_the_server_goes) {
  const auto out = play(chat, options(), [](const service& server) -> task<> {
    stream leaves = co_await connected(server.at);
    co_await expect_echo(leaves, "hello");
    EXPECT_TRUE(leaves.shutdown_write());
    const auto first = co_await receive_until_end(leaves);
    EXPECT_EQ(first.value_or("error"), "you left");
    stream stays = co_await connected(server.at);
    co_await expect_echo(stays, "hello");
    server.stop();
    const auto second = co_await receive_until_end(stays);
    EXPECT_EQ(second.value_or("error"), "going down");
  });
  EXPECT_EQ(out.report.connections, 2U);
  EXPECT_EQ(out.report.connections_cancelled, 0U);
}

// Two tasks of one connection wait for the drain, and one that gives up.
task<> wait_for_the_drain(stream peer, serving& server) {
  const auto early = co_await (server.drain_begins() | within(1ms));
  if (early || early.error() != std::errc::timed_out) co_return;
  const auto sent = co_await send_text(peer, "A");
  if (!sent) co_return;
  bool told = false;
  co_await in_scope([&](iolite::scope& children) -> task<> {
    children.spawn([&]() -> task<> {
      const auto r = co_await server.drain_begins();
      told = r.has_value();
    });
    const auto r = co_await server.drain_begins();
    if (!r) co_return;
  });
  const auto again = co_await server.drain_begins();
  const auto bye = co_await send_text(peer, told && again ? "going down" : "?");
  EXPECT_TRUE(bye);
}

TEST_P(around, a_handler_can_wait_for_the_drain) {
  const auto out = play(wait_for_the_drain, options(), [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    const auto first = co_await receive_exactly(s, 1);
    EXPECT_EQ(first.value_or("error"), "A");
    server.stop();
    const auto last = co_await receive_until_end(s);
    EXPECT_EQ(last.value_or("error"), "going down");
  });
  EXPECT_EQ(out.report.connections_cancelled, 0U);
}

// --- on_drain ---

TEST_P(around, the_good_bye_comes_before_the_end_of_the_stream) {
  serve_options o = options();
  if (placed() == placement::prefork) o.workers = 1;
  notes& n = seen();
  o.on_drain = [&n](serving& server) -> task<> {  // tidy: allow captures, it is kept
    if (!server.draining()) ++n.failures;
    auto pause = iolite::sleep(5ms);
    const auto slept = co_await pause;
    if (!slept) ++n.failures;
    ++n.said;
  };
  const handler says = [&n](stream peer) -> task<> {  // tidy: allow captures, it is kept
    struct body {
      static task<> talk(stream s, notes& all) {
        const auto greeted = co_await send_text(s, "A");
        const auto end = co_await receive(s);
        EXPECT_TRUE(greeted && end && end->empty());
        const auto sent = co_await send_text(s, all.said > 0 ? "said" : "too early");
        EXPECT_TRUE(sent);
      }
    };
    return body::talk(std::move(peer), n);
  };
  const auto out = play(says, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    const auto first = co_await receive_exactly(s, 1);
    EXPECT_EQ(first.value_or("error"), "A");
    server.stop();
    const auto last = co_await receive_until_end(s);
    EXPECT_EQ(last.value_or("error"), "said");
  });
  EXPECT_EQ(n.said, 1U) << "once in each process that accepts";
  EXPECT_EQ(n.failures, 0U);
  EXPECT_EQ(out.report.connections_cancelled, 0U);
}

// The drain goes on without it, and ends it.
TEST_P(around, a_good_bye_that_takes_for_ever_is_cancelled) {
  serve_options o = options();
  o.drain_timeout = 50ms;
  notes& n = seen();
  o.on_drain = [&n]() -> task<> {  // tidy: allow captures, it is kept
    ++n.started;
    auto for_ever = iolite::sleep(1h);
    const auto slept = co_await for_ever;
    if (!slept) ++n.ended;
  };
  const auto out =
      play(echo, o, [&n](const service& server) -> task<> {  // tidy: allow captures, kept
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
        server.stop();
        const auto end = co_await receive_until_end(s);
        EXPECT_TRUE(!end || end->empty());
        EXPECT_GE(n.started, 1U);
      });
  EXPECT_EQ(n.started, processes());
  EXPECT_EQ(n.ended, processes());
}

TEST_P(around, a_good_bye_that_throws_is_a_line_of_the_log) {
  serve_options o = options();
  o.on_drain = []() -> task<> {
    throw std::runtime_error("no words");
    co_return;
  };
  const auto out = play(chat, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    co_await expect_echo(s, "hello");
    server.stop();
    const auto last = co_await receive_until_end(s);
    EXPECT_EQ(last.value_or("error"), "going down");
  });
  EXPECT_TRUE(out.says("no words"));
}

}  // namespace
}  // namespace iolite_test

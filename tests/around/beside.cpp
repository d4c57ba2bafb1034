// Tasks beside the connections: how many, how long, and what their failures harm.
#include "setting.hpp"

#include "support/streams.hpp"

#include <stdexcept>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

// Goes on until it is cancelled.
server_task goes_on(std::atomic<unsigned>& started, std::atomic<unsigned>& ended) {
  return [&]() -> task<> {  // tidy: allow captures, it is kept
    ++started;
    for (ticker every(1ms);;) {
      const auto tick = co_await every.next();
      if (!tick) break;
    }
    ++ended;
  };
}

void expect_tasks(notes& n, unsigned expected) {
  EXPECT_EQ(n.started, expected);
  EXPECT_EQ(n.ended, expected) << "cancelled, and awaited";
}

TEST_P(around, a_task_of_each_process) {
  serve_options o = options();
  o.beside = {{goes_on(seen().started, seen().ended)}};
  const auto out =
      play(echo, o, [this](const service& server) -> task<> {  // tidy: allow captures, kept
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
        const bool all = co_await comes_true([this] { return seen().started == processes(); });
        EXPECT_TRUE(all);
        EXPECT_EQ(seen().ended, 0U);
      });
  EXPECT_EQ(out.error, "");
  expect_tasks(seen(), processes());
}

TEST_P(around, a_task_of_each_loop_and_one_of_the_server) {
  serve_options o = options();
  o.beside = {{goes_on(seen().started, seen().ended), once_per::loop},
              {goes_on(seen().calls, seen().said), once_per::server}};
  const auto out =
      play(echo, o, [this](const service& server) -> task<> {  // tidy: allow captures, kept
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
        const bool all =
            co_await comes_true([this] { return seen().started == loops() && seen().calls == 1; });
        EXPECT_TRUE(all) << seen().started;
      });
  EXPECT_EQ(out.error, "");
  expect_tasks(seen(), loops());
  EXPECT_EQ(seen().calls, 1U);
  EXPECT_EQ(seen().said, 1U);
}

// The drain waits for a connection, which still needs the task.
TEST_P(around, a_task_goes_on_until_the_last_connection_has_ended) {
  serve_options o = options();
  o.workers = 1;
  o.beside = {{goes_on(seen().started, seen().ended)}};
  notes& n = seen();
  const handler busy = [&n](stream peer) -> task<> {  // tidy: allow captures, it is kept
    struct body {
      static task<> work(stream s, notes& all) {
        const auto asked = co_await receive(s, 1);
        const auto begun = co_await send_text(s, "B");
        auto a_while = iolite::sleep(100ms);
        const auto slept = co_await a_while;
        EXPECT_TRUE(asked && begun && slept);
        const auto sent = co_await send_text(s, all.ended == 0 ? "still there" : "gone");
        EXPECT_TRUE(sent);
      }
    };
    return body::work(std::move(peer), n);
  };
  const auto out = play(busy, o, [](const service& server) -> task<> {
    stream s = co_await connected(server.at);
    const auto asked = co_await send_text(s, "?");
    const auto begun = co_await receive_exactly(s, 1);
    EXPECT_TRUE(asked && begun);
    server.stop();
    const auto last = co_await receive_until_end(s);
    EXPECT_EQ(last.value_or("error"), "still there");
  });
  EXPECT_EQ(out.report.connections_cancelled, 0U);
  expect_tasks(n, 1);
}

TEST_P(around, a_task_that_throws_ends_alone) {
  serve_options o = options();
  const server_task throws = [](serving&) -> task<> {
    throw std::runtime_error("no upstream\nforged line");
    co_return;
  };
  o.beside = {{throws, once_per::server}, {goes_on(seen().started, seen().ended)}};
  const auto out =
      play(echo, o, [this](const service& server) -> task<> {  // tidy: allow captures, kept
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
        const bool all = co_await comes_true([this] { return seen().started == processes(); });
        EXPECT_TRUE(all);
      });
  EXPECT_TRUE(out.says(R"(a task beside the server failed: no upstream\x0aforged line)"));
  EXPECT_EQ(out.log.size(), 1U);
  EXPECT_EQ(out.report.handler_failures, 0U);
  EXPECT_EQ(out.report.connections, 1U);
  expect_tasks(seen(), processes());
}

task<> hang_in_a_helper(notes& n) {
  static_cast<void>(co_await offload([&n] {
    ++n.calls;
    for (;;) ::pause();
  }));
}

TEST_P(around, a_task_that_hangs_is_left_behind) {
  if (simulated()) GTEST_SKIP() << "a call that hangs would hang the world";
  serve_options o = options();
  o.drain_timeout = 50ms;
  notes& n = seen();
  o.beside = {{[&n] { return hang_in_a_helper(n); }, once_per::server}};
  const auto out =
      play(echo, o, [&n](const service& server) -> task<> {  // tidy: allow captures, kept
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
        const bool hangs = co_await comes_true([&n] { return n.calls == 1; });
        EXPECT_TRUE(hangs);
      });
  EXPECT_EQ(out.error, "");
  EXPECT_EQ(out.report.connections, 1U);
  const bool killed = placed() == placement::prefork;
  EXPECT_NE(out.says("1 tasks beside the server hang and are left behind"), killed);
}

// It connects to an upstream on the engine of the server: here to the server itself.
TEST_P(around, a_task_uses_the_engine_of_the_server) {
  serve_options o = options();
  notes& n = seen();
  o.on_listening = [&n](const model_choice&, const std::vector<endpoint>& at) {
    n.port = at.front().port();
  };
  o.beside = {{[&n, simulated = simulated()]() -> task<> {  // tidy: allow captures, it is kept
                 const std::string host = simulated ? "10.0.0.1:" : "127.0.0.1:";
                 const auto to = endpoint::parse(host + std::to_string(n.port));
                 stream upstream = co_await connected(*to);
                 co_await expect_echo(upstream, "from within");
                 ++n.calls;
               },
               once_per::server}};
  const auto out =
      play(echo, o, [&n](const service& server) -> task<> {  // tidy: allow captures, kept
        const bool called = co_await comes_true([&n] { return n.calls == 1; });
        EXPECT_TRUE(called);
        stream s = co_await connected(server.at);
        co_await expect_echo(s, "hello");
      });
  EXPECT_EQ(out.report.connections, 2U);
}

}  // namespace
}  // namespace iolite_test

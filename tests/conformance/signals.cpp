// SIGINT and SIGTERM to a server and to the processes it has started.
#include "serve_test.hpp"

#include "iolite/signals.hpp"
#include "support/sanitizers.hpp"
#include "support/streams.hpp"

#include <csignal>
#include <cstdlib>
#include <memory>
#include <pthread.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

std::string first_line(const served& server) {
  return server.log().empty() ? std::string() : server.log().front();
}

// Answers each request a moment after it has come.
task<> slow_answer(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer, 1);
    if (!got || got->empty()) co_return;
    const auto begun = co_await send_text(peer, "A");
    if (!begun) co_return;
    static_cast<void>(co_await iolite::sleep(100ms));
    const auto done = co_await send_text(peer, "D");
    if (!done) co_return;
  }
}

// Ctrl-C and systemd signal the whole group: a child gets that, and what its supervisor passes on.
void expect_drain_of_group(served& server, int number) {
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect(), idle = server.connect();
  EXPECT_TRUE(peer.send_all("?"));
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal_all(number);
  EXPECT_EQ(peer.recv_exactly(1), "D") << "the request in progress is lost";
  EXPECT_EQ(peer.recv_until_end(), "");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(server.report().connections_cancelled, 0U);
  EXPECT_EQ(server.report().handler_failures, 0U);
  EXPECT_EQ(server.report().children_restarted, 0U);
  EXPECT_EQ(first_line(server), "");
}

TEST_P(serve, a_signal_to_the_group_lets_the_request_in_progress_end) {
  for (const int number : {SIGTERM, SIGINT}) {
    SCOPED_TRACE(number);
    served server(slow_answer, options());
    expect_drain_of_group(server, number);
  }
}

// A program with a way of its own to stop may block the signals: its children are told by them.
serve_stop* stop_of_program = nullptr;

TEST_P(serve_with_children, children_drain_where_the_program_blocks_the_signals) {
  serve_stop stop;
  stop_of_program = &stop;
  serve_options o = options();
  o.signals = false;
  o.stop = &stop;
  served server(slow_answer, o, [] {
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGINT);
    ::sigaddset(&both, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &both, nullptr);
    ::signal(SIGUSR1, [](int) { stop_of_program->request(); });
  });
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect(), idle = server.connect();
  EXPECT_TRUE(peer.send_all("?"));
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal(SIGUSR1);
  EXPECT_EQ(peer.recv_exactly(1), "D");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(server.report().connections_cancelled, 0U) << "a child was not told";
}

// Its listeners are shut down by the supervisor, maybe before a worker knows of the stop.
TEST_P(serve_by_workers, a_stop_is_not_taken_for_a_fault) {
  serve_options o = options();
  o.workers = 8;
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  expect_echo(server.connect(), "hello");
  EXPECT_TRUE(eventually([&] { return children_of(server.pid()).living == 8; }));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().accept_pauses, 0U);
  EXPECT_EQ(first_line(server), "");
}

task<> stubborn(stream peer) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  static_cast<void>(co_await iolite::sleep(1h));
}

TEST_P(serve, a_second_signal_to_the_group_ends_all_of_it_at_once) {
  if (thread_sanitizer) {
    GTEST_SKIP() << "the sanitizer may keep a signal back for as long as a thread waits in a call";
  }
  serve_options o = options();
  o.drain_timeout = 1h;
  served server(stubborn, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal_all(SIGINT);
  EXPECT_TRUE(eventually([&] { return signal_was_taken(server.pid(), SIGINT); }));
  server.signal_all(SIGINT);
  EXPECT_EQ(server.wait(), 130);
  EXPECT_TRUE(eventually([&] { return server.left_nothing_running(); })) << "its processes live on";
}

// What the program catches beside its server: see signal_values.cpp.
std::unique_ptr<signals> caught_by_program;

void catch_in_program(int number) {
  caught_by_program = std::make_unique<signals>(std::initializer_list<int>{number});
}

// By default it would end them.
TEST_P(serve, a_signal_that_the_program_catches_ends_neither_it_nor_its_children) {
  served server(echo, options(), [] { catch_in_program(SIGHUP); });
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  expect_echo(peer, "before");
  server.signal_all(SIGHUP);
  EXPECT_TRUE(eventually([&] { return signal_was_taken(server.pid(), SIGHUP); }));
  expect_echo(peer, "after");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 0U);
  EXPECT_EQ(server.report().children_restarted, 0U);
}

// The moment between fork(2) and the first line of the child's own is as good as any other.
TEST_P(serve_with_children, a_signal_right_after_the_fork_ends_no_child) {
  served server(echo, options(), [] {
    catch_in_program(SIGHUP);
    ::pthread_atfork(nullptr, nullptr, [] { ::kill(::getpid(), SIGHUP); });
  });
  ASSERT_TRUE(server.listening()) << server.error();
  for (int i = 0; i < 3; ++i) expect_echo(server.connect(), "served");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 0U);
  EXPECT_EQ(server.report().children_restarted, 0U);
}

task<> say_which_signal(stream peer) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  const auto number = co_await caught_by_program->next();
  const auto said = co_await send_text(peer, number.value_or(0) == SIGTERM ? "T" : "?");
  EXPECT_TRUE(said);
}

TEST_P(serve_in_one_process, a_signal_that_stops_the_server_is_told_to_a_task_as_well) {
  served server(say_which_signal, options(), [] { catch_in_program(SIGTERM); });
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal(SIGTERM);
  EXPECT_EQ(peer.recv_exactly(1), "T");
  EXPECT_EQ(server.wait(), 0);
}

// The end of the stream comes with the drain.
task<> crash_while_draining(stream peer) {
  const auto got = co_await receive(peer, 1);
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(got && sent);
  static_cast<void>(co_await receive(peer, 1));
  std::abort();
}

TEST_P(serve_with_children, a_crash_while_it_drains_is_told) {
  serve_options o = options();
  o.workers = 1;
  served server(crash_while_draining, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_TRUE(peer.send_all("?"));
  EXPECT_EQ(peer.recv_exactly(1), "A");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures + server.report().connections_cancelled, 1U);
  EXPECT_GE(server.log().size(), 1U);
}

}  // namespace
}  // namespace iolite_test

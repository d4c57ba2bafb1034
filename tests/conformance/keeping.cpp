// A stream that outlives its handler: somebody keeps it, and it goes on as one of the server.
#include "serve_test.hpp"

#include "support/streams.hpp"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

// Where streams wait for somebody to talk to them. On a blocking engine any thread may; else each
// loop has its own.
struct lobby {
  std::mutex lock;
  std::condition_variable one_came;
  std::vector<stream> waiting;
  int coming = 0;

  static lobby& here(bool blocking) {
    static lobby all;
    thread_local lobby of_this_thread;
    return blocking ? all : of_this_thread;
  }
  void keep(stream s) {
    const std::lock_guard hold(lock);
    waiting.push_back(std::move(s));
    --coming;
    one_came.notify_one();
  }
  void expect_one() {
    const std::lock_guard hold(lock);
    ++coming;
  }
  // A client is told that its stream is kept before it is: another thread may still be on its way.
  // In a loop nobody else gets in between.
  std::optional<stream> take(bool from_threads) {
    std::unique_lock hold(lock);
    if (from_threads) one_came.wait(hold, [&] { return !waiting.empty() || coming == 0; });
    if (waiting.empty()) return std::nullopt;
    std::optional<stream> out(std::move(waiting.back()));
    waiting.pop_back();
    return out;
  }
};

// 'k': this stream is kept, and its handler ends. 'g': one that is kept is greeted, echoed once and
// closed; whether there was one.
task<> keep_or_greet(stream peer) {
  const bool blocking = peer.on()->traits().blocking;
  lobby& here = lobby::here(blocking);
  const auto what = co_await receive(peer, 1);
  if (what == "k") {
    here.expect_one();
    const auto told = co_await send_text(peer, "kept");
    EXPECT_TRUE(told);
    here.keep(std::move(peer));
    co_return;
  }
  std::optional<stream> other = here.take(blocking);
  if (other) {
    const auto greeted = co_await send_text(*other, "hello");
    EXPECT_TRUE(greeted);
    const auto answer = co_await receive(*other);
    const auto echoed = co_await send_text(*other, answer.value_or("?"));
    EXPECT_TRUE(echoed);
    other.reset();
  }
  static_cast<void>(co_await send_text(peer, other ? "?" : "done"));
}

raw_socket keep(const served& server) {
  raw_socket out = server.connect();
  EXPECT_TRUE(out.send_all("k"));
  EXPECT_EQ(out.recv_exactly(4), "kept");
  return out;
}

TEST_P(serve_in_one_process, a_stream_goes_on_in_the_handler_of_another_connection) {
  if (!traits().blocking && placed() == placement::thread) {
    GTEST_SKIP() << "each connection has an engine of its own";
  }
  serve_options o = options();
  o.workers = traits().blocking ? 8 : 1;  // of loops, one has all
  served server(keep_or_greet, o);
  ASSERT_TRUE(server.listening()) << server.error();
  for (int round = 0; round < 20; ++round) {
    std::vector<raw_socket> waiting;
    for (int i = 0; i < 4; ++i) waiting.push_back(keep(server));
    std::vector<raw_socket> asking;
    for (int i = 0; i < 4; ++i) {
      asking.push_back(server.connect());
      EXPECT_TRUE(asking.back().send_all("g"));
    }
    for (const raw_socket& w : waiting) {
      EXPECT_EQ(w.recv_exactly(5), "hello");
      EXPECT_TRUE(w.send_all("and you"));
      EXPECT_EQ(w.recv_until_end(), "and you");
    }
    for (const raw_socket& a : asking) EXPECT_EQ(a.recv_until_end(), "done");
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 0U);
}

TEST_P(serve, streams_that_are_kept_are_closed_when_their_engine_ends) {
  serve_options o = options();
  o.workers = 2;
  o.drain_timeout = 200ms;
  served server(keep_or_greet, o);
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(keep(server));
  const bool engine_ends =
      placed() == placement::process || (placed() == placement::thread && !traits().blocking);
  if (engine_ends) {
    for (const raw_socket& w : waiting) EXPECT_EQ(w.recv_until_end(), "");
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  for (const raw_socket& w : waiting) EXPECT_EQ(w.recv_until_end(), "");
}

TEST_P(serve_until_full, a_stream_that_is_kept_counts_as_a_connection) {
  if (!traits().blocking && placed() == placement::thread) {
    GTEST_SKIP() << "it ends with its handler";
  }
  serve_options o = options();
  o.workers = 1;
  o.connections_max = 2;
  served server(keep_or_greet, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket one = keep(server);
  const raw_socket two = server.connect();  // there is room for it
  EXPECT_TRUE(two.send_all("g"));
  EXPECT_EQ(one.recv_exactly(5), "hello");
  const raw_socket three = server.connect();
  EXPECT_TRUE(three.send_all("g"));
  EXPECT_FALSE(answers(three, 50)) << "two are open";
  EXPECT_TRUE(one.send_all("go"));
  EXPECT_EQ(one.recv_until_end(), "go");
  EXPECT_EQ(two.recv_until_end(), "done");
  EXPECT_EQ(three.recv_until_end(), "done");
  EXPECT_EQ(server.stop(SIGTERM), 0);
}

}  // namespace
}  // namespace iolite_test

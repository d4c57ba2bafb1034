// Handlers that hang in a call, which nothing can end: a server ends without them.
#include "serve_test.hpp"

#include "support/streams.hpp"

#include <csignal>
#include <sys/stat.h>
#include <unistd.h>

namespace iolite_test {
namespace {

using namespace iolite;

[[noreturn]] void hang() {
  for (;;) ::pause();
}

task<> hang_in_a_helper(stream peer) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  static_cast<void>(co_await offload([] { hang(); }));
}

// More of them than there are helpers.
TEST_P(serve, a_call_that_hangs_does_not_keep_it_from_returning) {
  serve_options o = options();
  o.drain_timeout = 50ms;
  o.workers = traits().blocking ? 16 : 2;
  served server(hang_in_a_helper, o);
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> peers;
  for (unsigned i = 0; i < offload_threads_max + 2; ++i) {
    peers.push_back(server.connect());
    EXPECT_EQ(peers.back().recv_exactly(1), "A");
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections_cancelled, peers.size());
  if (placed() == placement::process || placed() == placement::prefork) {
    EXPECT_EQ(server.report().connections_left, 0U) << "they are killed";
  } else {  // some may be in line still, where they can be cancelled
    EXPECT_GE(server.report().connections_left, 1U);
  }
  int error = 0;
  for (const raw_socket& peer : peers) EXPECT_EQ(peer.recv_until_gone(error), "");
}

// Of a FIFO without another end. Its thread may outlive the test: it has a path of its own.
task<> open_in_vain(stream peer, std::string path) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  const auto f = co_await file::open(path, file_mode::read);
  EXPECT_FALSE(f);
}

TEST_P(serve, an_open_that_hangs_is_given_up) {
  const temporary_folder folder;
  const std::string fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  serve_options o = options();
  o.drain_timeout = 50ms;
  served server([fifo](stream peer) { return open_in_vain(std::move(peer), fifo); }, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections_cancelled, 1U);
  if (!traits().blocking && placed() != placement::thread) {
    EXPECT_EQ(server.report().connections_left, 0U) << "it can be cancelled";
  }
}

task<> hang_here(stream peer) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  hang();
}

// A worker that does not come back to its loop cannot count what it has lost.
TEST_P(serve_with_children, what_is_killed_at_the_end_is_told) {
  serve_options o = options();
  o.drain_timeout = 50ms;
  o.workers = 2;
  served server(hang_here, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections_cancelled, 1U);
  EXPECT_EQ(server.report().handler_failures, 0U) << "it did not crash";
  EXPECT_EQ(server.log().size(), 1U);
}

}  // namespace
}  // namespace iolite_test

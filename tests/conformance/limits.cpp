// serve_options::connections_max, also where many accept at the same time.
#include "serve_test.hpp"

#include "support/streams.hpp"

#include <atomic>
#include <csignal>
#include <new>
#include <sys/mman.h>

namespace iolite_test {
namespace {

using namespace iolite;

// In memory that all processes of the server share.
struct handlers_at_work {
  std::atomic<unsigned> now = 0;
  std::atomic<unsigned> most = 0;
};
handlers_at_work* at_work = nullptr;

task<> counted_echo(stream peer) {
  const unsigned now = ++at_work->now;
  unsigned most = at_work->most;
  while (now > most && !at_work->most.compare_exchange_weak(most, now)) {
  }
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got || got->empty()) break;
    const auto sent = co_await send_text(peer, *got);
    if (!sent) break;
  }
  --at_work->now;
}

class serve_limited : public serve {
 protected:
  void SetUp() override {
    serve::SetUp();
    void* const p = ::mmap(nullptr, sizeof(handlers_at_work), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(p, MAP_FAILED);
    at_work = new (p) handlers_at_work;
  }
  void TearDown() override {
    ::munmap(at_work, sizeof(handlers_at_work));
    serve::TearDown();
  }
  // The limit is a process's; a worker of blocking/prefork serves several listeners by threads.
  [[nodiscard]] serve_options with_limit(unsigned most) const {
    serve_options o = options();
    o.listen = {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"};
    o.connections_max = most;
    o.workers = placed() == placement::prefork ? 1 : 4;
    return o;
  }
};

TEST_P(serve_limited, the_limit_holds_over_all_listeners) {
  served server(counted_echo, with_limit(1));
  ASSERT_TRUE(server.listening()) << server.error();
  raw_socket first = server.connect(0);
  expect_echo(first, "first");
  std::vector<raw_socket> others;
  for (const std::size_t at : {1U, 2U, 0U}) {
    others.push_back(server.connect(at));
    EXPECT_TRUE(others.back().send_all("x"));
  }
  EXPECT_FALSE(answers(others.front(), 30));
  expect_echo(first, "first again");
  first.close();
  for (int served_now = 0; served_now < 3; ++served_now) {
    EXPECT_TRUE(eventually([&] {
      for (raw_socket& peer : others) {
        if (!answers(peer, 10)) continue;
        peer.close();
        std::swap(peer, others.back());
        others.pop_back();
        return true;
      }
      return false;
    })) << "somebody waits though there is room";
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 4U);
  EXPECT_EQ(at_work->most, 1U);
}

// Nothing is set aside for listeners to which nobody comes.
TEST_P(serve_limited, one_listener_alone_may_use_all_places) {
  const bool one_thread = traits().blocking && placed() == placement::prefork;
  const unsigned most = one_thread ? 1 : 3;
  served server(counted_echo, with_limit(most));
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> peers;
  for (unsigned i = 0; i < most; ++i) {
    peers.push_back(server.connect(2));
    expect_echo(peers.back(), "in");
  }
  for (const raw_socket& peer : peers) expect_echo(peer, "still in");
  peers.clear();
  EXPECT_EQ(server.stop(SIGTERM), 0);
}

// Peers come to all listeners at once, faster than anybody leaves.
TEST_P(serve_limited, a_crowd_at_all_listeners_does_not_pass_the_limit) {
  constexpr unsigned most = 2;
  served server(counted_echo, with_limit(most));
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<std::thread> crowd;
  std::atomic<int> answered = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    crowd.emplace_back([&, i] {
      for (int n = 0; n < 10; ++n) {
        const raw_socket peer = server.connect(i % 3);
        expect_echo(peer, "hello");
        ++answered;
      }
    });
  }
  for (std::thread& c : crowd) c.join();
  EXPECT_EQ(answered, 60);
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_LE(at_work->most, most);
  EXPECT_EQ(server.report().connections, 60U);
}

INSTANTIATE_TEST_SUITE_P(conformance, serve_limited, testing::ValuesIn(all_models()),
                         name_of_model);

}  // namespace
}  // namespace iolite_test

// The end of a server: who waits, who is still busy, and what the program has given to it.
#include "models_here.hpp"

#include "support/model_names.hpp"
#include "support/sanitizers.hpp"
#include "support/served.hpp"
#include "support/streams.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <sys/resource.h>
#include <sys/stat.h>

namespace iolite_test {
namespace {

using namespace iolite;
using namespace std::chrono_literals;

std::string go_on;  // a path: a handler that is busy goes on once it is there

bool is_there(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0;
}

class ending : public testing::TestWithParam<std::string> {};

task<> answer_when_told(stream peer) {
  const auto asked = co_await receive(peer, 1);
  const auto begun = co_await send_text(peer, "B");
  EXPECT_TRUE(asked && begun);
  while (!is_there(go_on)) {
    auto pause = iolite::sleep(1ms);
    static_cast<void>(co_await pause);
  }
  const auto done = co_await send_text(peer, "D");
  EXPECT_TRUE(done);
}

TEST_P(ending, a_drain_may_take_for_ever) {
  const temporary_folder folder;
  go_on = folder / "go on";
  serve_options o = options_for(GetParam(), 1);
  o.drain_timeout = clock::duration::max();
  served server(answer_when_told, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_TRUE(peer.send_all("?"));
  EXPECT_EQ(peer.recv_exactly(1), "B");
  server.signal(SIGTERM);
  raw_socket refused;
  EXPECT_TRUE(eventually([&] { return raw_socket::try_connect(server.at(), refused) != 0; }));
  ASSERT_EQ(::mkdir(go_on.c_str(), 0700), 0);
  EXPECT_EQ(peer.recv_until_end(), "D") << "the request in progress is lost";
  EXPECT_EQ(server.wait(), 0);
  EXPECT_EQ(server.report().connections_cancelled, 0U);
}

// Echoes; but at a 'b' it keeps its thread until it may go on.
task<> echo_or_keep_busy(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer, 1);
    if (!got || got->empty()) co_return;
    const auto sent = co_await send_text(peer, *got);
    if (!sent) co_return;
    while (*got == "b" && !is_there(go_on)) std::this_thread::yield();
  }
}

bool has_an_answer(const raw_socket& s) {
  s.set_recv_limit_ms(1);
  try {
    return s.recv_some(1) == "q";
  } catch (const std::system_error&) {
    return false;
  }
}

// They come while the only loop is busy, so that it finds all of them at once, and has two places.
TEST_P(ending, whoever_came_at_the_same_time_as_others_is_turned_away_politely) {
  constexpr std::size_t before = 8, later = 10;
  const temporary_folder folder;
  go_on = folder / "go on";
  serve_options o = options_for(GetParam(), 1);
  o.connections_max = before + 2;
  served server(echo_or_keep_busy, o);
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> old, fresh;
  for (std::size_t i = 0; i < before; ++i) {
    old.push_back(server.connect());
    EXPECT_TRUE(old.back().send_all("x"));
    EXPECT_EQ(old.back().recv_exactly(1), "x");
  }
  EXPECT_TRUE(old[0].send_all("b"));
  EXPECT_EQ(old[0].recv_exactly(1), "b");
  for (std::size_t i = 0; i < later; ++i) {
    fresh.push_back(server.connect());
    EXPECT_TRUE(fresh.back().send_all("q"));
  }
  ASSERT_EQ(::mkdir(go_on.c_str(), 0700), 0);
  std::size_t served_now = 0;
  ASSERT_TRUE(eventually([&] {
    for (const raw_socket& s : fresh) served_now += has_an_answer(s) ? 1U : 0U;
    return served_now == 2;
  }));
  server.signal(SIGTERM);
  for (const raw_socket& s : fresh) {
    s.set_recv_limit_ms(20'000);
    int error = 0;
    EXPECT_EQ(s.recv_until_gone(error), "");
    EXPECT_EQ(error, 0) << "it is reset";
  }
  EXPECT_EQ(server.wait(), 0);
}

// The queue of a listener holds one more than it was told to.
TEST_P(ending, the_last_one_of_a_full_queue_is_turned_away_politely) {
  for (const int backlog : {0, 1, 3}) {
    serve_options o = options_for(GetParam(), 1);
    o.connections_max = 1;
    o.sockets.backlog = backlog;
    served server(echo, o);
    ASSERT_TRUE(server.listening()) << server.error();
    const raw_socket peer = server.connect();
    EXPECT_TRUE(peer.send_all("x"));
    EXPECT_EQ(peer.recv_exactly(1), "x");
    std::vector<raw_socket> queued;
    for (int i = 0; i <= backlog; ++i) {
      queued.push_back(server.connect());
      EXPECT_TRUE(queued.back().send_all("q"));
    }
    server.signal(SIGTERM);
    for (const raw_socket& s : queued) {
      int error = 0;
      EXPECT_EQ(s.recv_until_gone(error), "");
      EXPECT_EQ(error, 0) << "it is reset, with a backlog of " << backlog;
    }
    EXPECT_EQ(server.wait(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(surroundings, ending,
                         testing::ValuesIn(those_here({"epoll/shared", "io_uring/shared",
                                                       "epoll/pool", "io_uring/pool",
                                                       "epoll/prefork", "io_uring/prefork"})),
                         name_by_model);

constexpr rlim_t descriptors_max = 64;

// Below the limit: what it has inherited may be above.
bool has_none_free(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process) + "/fd/";
  struct stat about{};
  for (rlim_t fd = 0; fd < descriptors_max; ++fd) {
    if (::lstat((folder + std::to_string(fd)).c_str(), &about) != 0) return false;
  }
  return true;
}

class ending_full : public testing::TestWithParam<std::string> {};

// To turn somebody away takes a descriptor.
TEST_P(ending_full, who_waits_for_a_descriptor_is_turned_away_politely) {
  if (address_sanitizer) GTEST_SKIP() << "its checks need a descriptor, and stop a server without";
  served server(echo, options_for(GetParam(), 1), [] {
    const rlimit few{descriptors_max, descriptors_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  });
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> all;
  for (rlim_t i = 0; i < 2 * descriptors_max; ++i) {
    all.push_back(server.connect());
    EXPECT_TRUE(all.back().send_all("q"));
  }
  ASSERT_TRUE(eventually([&] { return has_none_free(server.pid()); }));
  server.signal(SIGTERM);
  for (const raw_socket& s : all) {
    int error = 0;
    static_cast<void>(s.recv_until_gone(error));
    EXPECT_EQ(error, 0) << "it is reset";
  }
  EXPECT_EQ(server.wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(surroundings, ending_full,
                         testing::ValuesIn(those_here({"poll/shared", "epoll/shared",
                                                       "io_uring/shared", "epoll/pool"})),
                         name_by_model);

class keeping_objects : public testing::TestWithParam<std::string> {};

// What the program gives to serve(), and how often it was destroyed too late.
struct programs_own {
  std::atomic<bool>& returned;
  std::atomic<int>& late;
  programs_own(std::atomic<bool>& r, std::atomic<int>& l) : returned(r), late(l) {}
  programs_own(const programs_own&) = delete;
  programs_own& operator=(const programs_own&) = delete;
  ~programs_own() { late += returned ? 1 : 0; }
};

task<> until_end(stream peer, serve_stop& stop) {
  for (;;) {
    const auto got = co_await receive(peer, 1);
    if (!got || got->empty()) co_return;
    stop.request();
  }
}

// The thread of a connection goes on for a moment after the connection has ended.
TEST_P(keeping_objects, a_handler_is_destroyed_before_serve_returns) {
  std::atomic<int> late = 0;
  for (int round = 0; round < 200; ++round) {
    auto returned = std::make_shared<std::atomic<bool>>(false);
    serve_stop stop;
    raw_socket peer;
    serve_options o = options_for(GetParam(), 1);
    o.signals = false;
    o.stop = &stop;
    o.on_listening = [&](const model_choice&, const std::vector<endpoint>& at) {
      peer = raw_socket::connect(at.front());
      EXPECT_TRUE(peer.send_all("x"));
    };
    {
      auto own = std::make_shared<programs_own>(*returned, late);
      handler h = [own, &stop](stream s) { return until_end(std::move(s), stop); };
      own.reset();
      EXPECT_TRUE(iolite::serve(std::move(h), o));
    }
    *returned = true;
    static std::vector<std::shared_ptr<std::atomic<bool>>> all;  // a late one may look at it still
    all.push_back(std::move(returned));
  }
  EXPECT_EQ(late, 0);
}

INSTANTIATE_TEST_SUITE_P(surroundings, keeping_objects,
                         testing::ValuesIn(those_here({"epoll/shared", "blocking/thread",
                                                       "poll/thread", "epoll/thread",
                                                       "blocking/pool", "epoll/pool"})),
                         name_by_model);

}  // namespace
}  // namespace iolite_test

// serve() under every model: connections come, are answered, end, and do not harm each other.
#include "serve_test.hpp"

#include "support/child.hpp"
#include "support/sanitizers.hpp"
#include "support/streams.hpp"

#include <csignal>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(serve, echo_to_one_and_to_ten_at_once) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  expect_echo(server.connect(), "hello");
  std::vector<raw_socket> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(server.connect());
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < peers.size(); ++i)
      expect_echo(peers[i], pattern(1000, static_cast<unsigned>(i)));
  }
  peers.clear();
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 11U);
  EXPECT_EQ(server.report().handler_failures, 0U);
}

TEST_P(serve, a_megabyte_is_byte_exact) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  const std::string sent = pattern(1 << 20);
  std::thread writer([&] {
    peer.send_all(sent);
    peer.half_close();
  });
  EXPECT_TRUE(peer.recv_until_end() == sent);
  writer.join();
}

TEST_P(serve, several_listeners_of_several_kinds) {
  const temporary_folder folder;
  serve_options o = options();
  o.listen = {"127.0.0.1:0", "127.0.0.1:0", "unix:" + (folder / "s")};
  served server(echo, o);
  ASSERT_EQ(server.addresses().size(), 3U) << server.error();
  EXPECT_NE(server.at(0).port(), 0);
  EXPECT_NE(server.at(0).port(), server.at(1).port());
  EXPECT_TRUE(server.at(2).is_unix());
  for (std::size_t i = 0; i < 3; ++i) expect_echo(server.connect(i), "hello " + std::to_string(i));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 3U);
  struct stat unused{};
  EXPECT_NE(::stat((folder / "s").c_str(), &unused), 0) << "the path is left behind";
}

TEST_P(serve, a_full_house_makes_newcomers_wait) {
  serve_options o = options();
  o.connections_max = 2;
  o.workers = 1;
  // One blocking worker holds one connection; the limit is then the workers.
  const bool one_each =
      traits().blocking && (placed() == placement::pool || placed() == placement::prefork);
  if (one_each) o.workers = 2;
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  raw_socket first = server.connect();
  expect_echo(first, "first");
  const raw_socket second = server.connect();
  expect_echo(second, "second");
  const raw_socket third = server.connect();
  third.send_all("x");
  EXPECT_FALSE(answers(third, 50));
  expect_echo(second, "second again");
  first.close();
  EXPECT_EQ(third.recv_exactly(1), "x");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 3U);
  if (!one_each) {
    EXPECT_GE(server.report().accept_pauses, 1U);
  }
}

TEST_P(serve, a_silent_connection_ends_at_the_idle_timeout) {
  serve_options o = options();
  o.idle_timeout = 60ms;
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const auto begin = std::chrono::steady_clock::now();
  const raw_socket silent = server.connect();
  EXPECT_EQ(silent.recv_until_end(), "");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
}

TEST_P(serve, an_exception_ends_its_connection_only) {
  served server(fragile_echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket good = server.connect();
  expect_echo(good, "hello");
  const raw_socket bad = server.connect();
  bad.send_all("boom");
  EXPECT_EQ(bad.recv_until_end(), "");
  expect_echo(good, "hello again");
  expect_echo(server.connect(), "newcomer");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 1U);
}

// Throws what the peer sends.
task<> throwing(stream peer) {
  const auto got = co_await receive(peer);
  if (got && !got->empty()) throw std::runtime_error(*got);
}

// A peer writes neither lines of its own into the log nor to the terminal of who reads it.
TEST_P(serve, what_a_handler_throws_is_one_safe_line_of_the_log) {
  served server(throwing, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  peer.send_all("\x1b[2J\x1b]0;owned\x07\r\nlog forged entry\n\xc2\x9b" + std::string(1000, 'x'));
  EXPECT_EQ(peer.recv_until_end(), "");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  ASSERT_EQ(server.log().size(), 1U);
  const std::string& line = server.log().front();
  EXPECT_NE(line.find(R"(: \x1b[2J\x1b]0;owned\x07\x0d\x0alog forged entry\x0a\xc2\x9bxxx)"),
            std::string::npos)
      << line;
  EXPECT_EQ(line.size(), 512U);
}

// Of all processes together.
TEST_P(serve, handlers_that_fail_fill_no_disk) {
  served server(throwing, options());
  ASSERT_TRUE(server.listening()) << server.error();
  for (int i = 0; i < 20; ++i) {
    const raw_socket peer = server.connect();
    peer.send_all("x");
    EXPECT_EQ(peer.recv_until_end(), "");
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 20U);
  EXPECT_LE(server.log().size(), 10U) << "at most about one line a second and cause";
}

TEST_P(serve_with_children, a_crash_harms_no_other_process) {
  served server(fragile_echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const bool alone = placed() == placement::process;
  const raw_socket good = server.connect();
  expect_echo(good, "hello");
  for (int i = 0; i < 3; ++i) {
    const raw_socket bad = server.connect();
    bad.send_all("abort");
    int error = 0;
    EXPECT_EQ(bad.recv_until_gone(error), "");
    if (alone) expect_echo(good, "still here");
  }
  EXPECT_TRUE(eventually([&] {  // a worker that has just crashed may take a newcomer with it
    raw_socket peer;
    return raw_socket::try_connect(server.at(), peer) == 0 && peer.send_all("x") &&
           answers(peer, 500);
  }));
  EXPECT_TRUE(eventually([&] { return children_of(server.pid()).zombies == 0; }))
      << "a child is not reaped";
  EXPECT_EQ(server.stop(SIGTERM), 0);
  if (alone) {
    EXPECT_EQ(server.report().children_restarted, 0U);
  } else {
    EXPECT_GE(server.report().children_restarted, 1U);
  }
}

TEST_P(serve_by_processes, a_connection_process_is_reaped_when_it_ends) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  for (int i = 0; i < 20; ++i) expect_echo(server.connect(), "x");
  EXPECT_TRUE(eventually([&] {
    const child_processes c = children_of(server.pid());
    return c.living == 0 && c.zombies == 0;
  }));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 20U);
}

TEST_P(serve_by_workers, a_killed_worker_is_started_again) {
  serve_options o = options();
  o.workers = 2;
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  EXPECT_TRUE(eventually([&] { return children_of(server.pid()).living == 2; }));
  const std::string id = std::to_string(server.pid());
  FILE* list = std::fopen(("/proc/" + id + "/task/" + id + "/children").c_str(), "r");
  ASSERT_NE(list, nullptr);
  int worker = 0;
  EXPECT_EQ(std::fscanf(list, "%d", &worker), 1);
  std::fclose(list);
  ::kill(worker, SIGKILL);
  EXPECT_TRUE(eventually([&] { return ::kill(worker, 0) != 0; })) << "the worker is not reaped";
  EXPECT_TRUE(eventually([&] { return children_of(server.pid()).living == 2; }));
  for (int i = 0; i < 10; ++i) expect_echo(server.connect(), "x");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().children_restarted, 1U);
}

TEST_P(serve_by_workers, a_worker_that_crashes_again_and_again_is_started_more_and_more_slowly) {
  serve_options o = options();
  o.workers = 1;
  served server(fragile_echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const auto enough = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < enough) {
    raw_socket bad;
    if (raw_socket::try_connect(server.at(), bad) != 0) continue;
    bad.send_all("abort");
    static_cast<void>(answers(bad, 200));
  }
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(server.report().children_restarted, 1U);
  EXPECT_LE(server.report().children_restarted, 20U);
  EXPECT_LE(server.log().size(), 10U) << "at most about one line a second and cause";
}

// Descriptors run out: those who are in go on, no processor time is burnt, and newcomers are let in
// as soon as there is room.
void run_out_of_descriptors(serve_options o, bool one_process, int room) {
  o.workers = 1;
  if (o.engine.direct_descriptors > 0) o.engine.direct_descriptors = static_cast<unsigned>(room);
  served server(echo, o, [room] {
    const auto limit = static_cast<rlim_t>(open_descriptors() + room);
    const rlimit few{limit, limit};
    ::setrlimit(RLIMIT_NOFILE, &few);
  });
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket good = server.connect();
  expect_echo(good, "in");
  std::vector<raw_socket> crowd;
  bool full = false;
  for (int i = 0; i < 60 && !full; ++i) {
    crowd.push_back(server.connect());
    crowd.back().send_all("x");
    full = !answers(crowd.back(), 150);
  }
  ASSERT_TRUE(full) << "the limit was not reached";
  char byte = 0;
  const auto looked = ::recv(crowd.back().fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  ASSERT_EQ(looked, -1) << "a newcomer is turned away, where it should wait";
  const auto begin = std::chrono::steady_clock::now();
  const double cpu_before = cpu_seconds(server.pid());
  int rounds = 0;
  while (std::chrono::steady_clock::now() - begin < 600ms) {
    EXPECT_FALSE(answers(crowd.back(), 50)) << "there is room after all";
    expect_echo(good, "still in");
    ++rounds;
  }
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (one_process) {  // a worker's own time would have to be asked for
    // Under this sanitizer everything costs several times as much. Without a facility each thread
    // looks up to a thousand times a second, whether or not there is room for another.
    const double looking =
        o.model == "nonblocking/thread" ? 0.03 * static_cast<double>(crowd.size()) : 0;
    const double share = thread_sanitizer ? 0.5 : 0.1;
    EXPECT_LT(cpu_seconds(server.pid()) - cpu_before, (share + looking) * wall + 0.02)
        << "it burns processor time";
  }
  EXPECT_GT(rounds, 0);
  raw_socket last = std::move(crowd.back());
  crowd.clear();
  EXPECT_EQ(last.recv_exactly(1), "x") << "accepts again";
  expect_echo(good, "always in");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(server.report().accept_pauses, 1U);
}

// Where a connection takes several descriptors, each of them is once the one that is missing.
TEST_P(serve_until_full, running_out_of_descriptors_pauses_accepting) {
  if (address_sanitizer) GTEST_SKIP() << "the sanitizer needs descriptors of its own";
  const int rooms = placed() == placement::thread ? 4 : 1;
  for (int room = 30; room < 30 + rooms; ++room) {
    SCOPED_TRACE(room);
    run_out_of_descriptors(options(), placed() != placement::prefork, room);
  }
}

// What the supervisor keeps for each child is not missing in the next one, which needs some itself.
TEST_P(serve_by_processes, few_descriptors_turn_nobody_away) {
  if (address_sanitizer) GTEST_SKIP() << "the sanitizer needs descriptors of its own";
  for (int room = 28; room < 32; ++room) {
    SCOPED_TRACE(room);
    served server(echo, options(), [room] {
      const auto limit = static_cast<rlim_t>(open_descriptors() + room);
      const rlimit few{limit, limit};
      ::setrlimit(RLIMIT_NOFILE, &few);
    });
    ASSERT_TRUE(server.listening()) << server.error();
    std::vector<raw_socket> crowd;
    for (int i = 0; i < 40; ++i) {
      crowd.push_back(server.connect());
      expect_echo(crowd.back(), "in");
    }
    for (const raw_socket& peer : crowd) expect_echo(peer, "still in");
    crowd.clear();
    EXPECT_EQ(server.stop(SIGTERM), 0);
    EXPECT_EQ(server.report().connections, 40U);
  }
}

}  // namespace
}  // namespace iolite_test

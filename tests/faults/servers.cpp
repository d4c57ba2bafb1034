// Faults that a server meets, under every model: what accepts, who runs a connection, who ends.
#include "fixture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <linux/io_uring.h>
#include <sys/wait.h>

namespace iolite_test {
namespace {

using namespace iolite;

void expect_echo(const raw_socket& peer, const std::string& text) {
  EXPECT_TRUE(peer.send_all(text));
  EXPECT_EQ(peer.recv_exactly(text.size()), text);
}

bool says(const served& server, const std::string& words) {
  return std::ranges::any_of(
      server.log(), [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

// A second connection is served meanwhile, where one does not keep a worker busy.
unsigned two_at_a_time(bool one_each) { return one_each ? 2 : 1; }

TEST_P(fault_of_models, F06_connections_that_were_reset_in_the_queue_harm_nobody) {
  constexpr std::uint64_t dead = 5;
  serve_options o = options();
  o.on_listening = [](const model_choice&, const std::vector<endpoint>& at) {
    for (std::uint64_t i = 0; i < dead; ++i) raw_socket::connect(at.front()).reset();
  };
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  expect_echo(server.connect(), "alive");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, dead + 1);
  happened(server.report().connections - 1);
}

// Nobody is turned away: who could not be accepted is, once there is room.
TEST_P(fault_of_models, F07_without_a_descriptor_newcomers_wait) {
  constexpr std::array errors = {EMFILE, ENFILE};
  std::vector<fault> calls;
  std::vector<completion_fault> done;
  for (std::uint64_t i = 0; i < errors.size(); ++i) {
    calls.push_back({.what = call::accept4, .nth = i + 1, .error = errors[i]});
  }
  // A completion that fails has used its connection up.
  done.push_back({.opcode = IORING_OP_ACCEPT, .error = EMFILE});
  serve_options o = options();
  o.workers = two_at_a_time(one_each());
  served server(echo, o, {}, on(calls, done));
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket lost = server.connect(), second = server.connect();
  expect_echo(second, "second");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_TRUE(says(server, "ulimit -n"));
  EXPECT_LE(server.log().size(), 2U) << "a line a second and cause";
  happened(server.report().accept_pauses);
}

TEST_P(fault_of_models, F08_without_memory_in_the_kernel_newcomers_wait) {
  std::vector<fault> calls = {{.what = call::accept4, .nth = 1, .error = ENOBUFS},
                              {.what = call::accept4, .nth = 2, .error = ENOMEM}};
  serve_options o = options();
  o.workers = two_at_a_time(one_each());
  served server(echo, o, {}, on(calls, {{.opcode = IORING_OP_ACCEPT, .error = ENOMEM}}));
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket lost = server.connect(), second = server.connect();
  expect_echo(second, "second");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  happened(server.report().accept_pauses);
}

task<> send_for_ever(stream peer) {
  const std::string much = pattern(1 << 20);
  for (;;) {
    const auto sent = co_await peer.send_all(much);
    if (!sent) throw std::system_error(sent.error());
  }
}
// To who sends something: much. To the others what they send.
task<> echo_or_flood(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got) throw std::system_error(got.error());
    if (got->empty()) co_return;
    if (*got == "flood") co_await send_for_ever(std::move(peer));
    const auto sent = co_await send_text(peer, *got);
    if (!sent) throw std::system_error(sent.error());
  }
}

TEST_P(fault_of_models, F11_a_reset_in_the_middle_of_a_send_ends_one_connection) {
  serve_options o = options();
  o.workers = two_at_a_time(one_each());
  served server(echo_or_flood, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket good = server.connect();
  expect_echo(good, "hello");
  raw_socket bad = server.connect();
  bad.send_all("flood");
  EXPECT_EQ(bad.recv_exactly(100'000).size(), 100'000U);
  bad.reset();
  expect_echo(good, "still here");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().handler_failures, 1U);
  happened(server.report().handler_failures);
}

TEST_P(fault_of_models, F29_a_server_that_was_stopped_goes_on) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  server.signal_all(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server.pid(), &status, WUNTRACED), server.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  happened();
  const raw_socket meanwhile = server.connect();
  EXPECT_TRUE(meanwhile.send_all("meanwhile"));
  server.signal_all(SIGCONT);
  EXPECT_EQ(meanwhile.recv_exactly(9), "meanwhile");
  EXPECT_EQ(server.stop(SIGTERM), 0);
}

task<> echo_or_crash(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer);
    if (!got || got->empty()) co_return;
    if (*got == "crash") ::raise(SIGKILL);
    const auto sent = co_await send_text(peer, *got);
    if (!sent) co_return;
  }
}
std::string until_gone(const raw_socket& peer) {
  int error = 0;
  return peer.recv_until_gone(error);
}

TEST_P(fault_of_processes, F32_a_process_that_crashes_harms_its_connection_only) {
  served server(echo_or_crash, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket good = server.connect();
  expect_echo(good, "hello");
  for (int i = 0; i < 3; ++i) {
    const raw_socket bad = server.connect();
    bad.send_all("crash");
    EXPECT_EQ(until_gone(bad), "");
    happened();  // nothing else ends it
  }
  expect_echo(good, "still here");
  expect_echo(server.connect(), "newcomer");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_LE(server.report().handler_failures, 3U) << "the last may end when all do";
}

TEST_P(fault_of_workers, F32_a_worker_that_crashes_is_started_again) {
  served server(echo_or_crash, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket bad = server.connect();
  bad.send_all("crash");
  EXPECT_EQ(until_gone(bad), "");
  expect_echo(server.connect(), "newcomer");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().children_restarted, 1U);
  happened(server.report().children_restarted);
}

// Those who were in the queue of the worker that crashed are served by its successor.
TEST_P(fault_of_workers, F36_a_worker_that_crashes_leaves_its_queue_to_the_next) {
  serve_options o = options();
  o.connections_max = 1;
  served server(echo_or_crash, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket bad = server.connect();
  expect_echo(bad, "in");
  const raw_socket queued = server.connect();
  EXPECT_TRUE(queued.send_all("queued"));
  bad.send_all("crash");
  EXPECT_EQ(until_gone(bad), "");
  EXPECT_EQ(queued.recv_exactly(6), "queued");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  happened(server.report().children_restarted);
}

// There is nothing for the second connection to run on, three times: it waits, the first goes on.
void expect_newcomer_waits(served& server) {
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket first = server.connect();
  expect_echo(first, "first");
  const raw_socket second = server.connect();
  EXPECT_TRUE(second.send_all("second"));
  EXPECT_EQ(second.recv_exactly(6), "second");
  expect_echo(first, "still in");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(server.report().accept_pauses, 3U);
}

TEST_P(fault_of_threads, F33_without_a_thread_newcomers_wait) {
  served server(echo, options(), {},
                on({{.what = call::clone, .nth = 2, .times = 3, .error = EAGAIN}}));
  expect_newcomer_waits(server);
  happened(server.report().accept_pauses);
}

TEST_P(fault_of_processes, F33_without_a_process_newcomers_wait) {
  served server(echo, options(), {},
                on({{.what = call::fork, .nth = 2, .times = 3, .error = EAGAIN}}));
  expect_newcomer_waits(server);
  happened(server.report().accept_pauses);
}

// All threads from the n-th on cannot be had: nothing is announced, and those that are there end.
TEST_P(fault_of_pools, F33_a_pool_without_its_threads_does_not_start) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    SCOPED_TRACE(n);
    serve_options o = options();
    o.workers = 3;
    served server(echo, o, {},
                  on({{.what = call::clone, .nth = n, .times = fault::for_ever, .error = EAGAIN}}));
    EXPECT_FALSE(server.listening()) << "it has announced what is not there";
    EXPECT_EQ(server.wait(), 1);
    EXPECT_NE(server.error().find("Resource temporarily unavailable"), std::string::npos)
        << server.error();
    happened();  // nothing else makes it say so
  }
}

TEST_P(fault_of_workers, F33_a_worker_without_a_process_is_tried_again) {
  served server(echo, options(), {}, on({{.what = call::fork, .times = 2, .error = EAGAIN}}));
  ASSERT_TRUE(server.listening()) << server.error();
  expect_echo(server.connect(), "hello");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_TRUE(says(server, "no process for a worker"));
  happened(says(server, "no process for a worker") ? 1 : 0);
}

// Clients come to the listeners of all workers, and one of these is never there.
TEST_P(fault_of_workers, F33_while_a_worker_cannot_be_had_the_others_serve_its_clients) {
  serve_options o = options();
  o.workers = 2;
  served server(echo, o, {},
                on({{.what = call::fork, .nth = 2, .times = fault::for_ever, .error = EAGAIN}}));
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> clients;
  const int many = one_each() ? 1 : 40;  // of blocking workers all have one listener
  for (int i = 0; i < many; ++i) {
    clients.push_back(server.connect());
    EXPECT_TRUE(clients.back().send_all("hello"));
  }
  for (const raw_socket& c : clients) EXPECT_EQ(c.recv_exactly(5), "hello");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, clients.size());
  happened(says(server, "no process for a worker") ? 1 : 0);
}

// The others have begun to accept for it when it comes after all.
TEST_P(fault_of_workers, F33_a_worker_that_comes_late_gets_its_listeners_back) {
  serve_options o = options();
  o.workers = 2;
  served server(echo, o, {}, on({{.what = call::fork, .nth = 2, .times = 7, .error = EAGAIN}}));
  ASSERT_TRUE(server.listening()) << server.error();
  std::vector<raw_socket> clients;
  const auto serve_some = [&] {
    for (int i = 0; i < 20; ++i) {
      clients.push_back(server.connect());
      EXPECT_TRUE(clients.back().send_all("hello"));
    }
    for (raw_socket& c : clients) {  // a blocking worker has one at a time
      EXPECT_EQ(c.recv_exactly(5), "hello");
      c.close();
    }
    clients.clear();
  };
  serve_some();
  while (children_of(server.pid()).living < 2) serve_some();
  const auto a_while = std::chrono::steady_clock::now() + 600ms;
  while (std::chrono::steady_clock::now() < a_while) serve_some();
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().children_restarted, 0U);
  happened(says(server, "no process for a worker") ? 1 : 0);
}

TEST_P(fault_of_models, N01_a_peer_that_does_not_read_holds_up_itself_only) {
  serve_options o = options();
  o.workers = two_at_a_time(one_each());
  o.idle_timeout = 50ms;
  served server(echo_or_flood, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket slow = server.connect();
  slow.send_all("flood");
  EXPECT_EQ(slow.recv_exactly(1).size(), 1U);
  expect_echo(server.connect(), "hello");
  static_cast<void>(until_gone(slow));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(server.report().handler_failures, 1U);
  happened(server.report().handler_failures);
}

TEST_P(fault_of_models, N02_a_peer_that_does_not_send_meets_the_limit) {
  serve_options o = options();
  o.idle_timeout = 20ms;
  served server(echo_or_flood, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket silent = server.connect();
  EXPECT_EQ(silent.recv_until_end(), "");
  expect_echo(server.connect(), "hello");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(server.report().handler_failures, 1U);
  happened(server.report().handler_failures);
}

// Two are in: the third one waits until one has gone.
TEST_P(fault_of_models, N03_more_connections_than_allowed_wait) {
  serve_options o = options();
  o.connections_max = 2;
  o.workers = two_at_a_time(one_each());
  served server(echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  raw_socket first = server.connect();
  expect_echo(first, "first");
  const raw_socket second = server.connect();
  expect_echo(second, "second");
  const raw_socket third = server.connect();
  EXPECT_TRUE(third.send_all("third"));
  for (int i = 0; i < 20; ++i) expect_echo(second, "second again");
  char byte = 0;
  EXPECT_EQ(::recv(third.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
  first.close();
  EXPECT_EQ(third.recv_exactly(5), "third");
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 3U);
  happened(server.report().accept_pauses + (one_each() ? 1 : 0));
}

}  // namespace
}  // namespace iolite_test

// How a server ends: politely, in time, and without losing an answer.
#include "serve_test.hpp"

#include "support/sanitizers.hpp"
#include "support/streams.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <sys/socket.h>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(serve, sigterm_drains_and_idle_connections_see_the_end) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket idle = server.connect();
  expect_echo(idle, "hello");
  server.signal(SIGTERM);
  EXPECT_EQ(idle.recv_until_end(), "");
  EXPECT_EQ(server.wait(), 0);
  raw_socket late;
  EXPECT_NE(raw_socket::try_connect(server.at(), late), 0) << "nobody listens any more";
  EXPECT_EQ(server.report().connections_cancelled, 0U);
}

TEST_P(serve, sigint_drains_too) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  expect_echo(server.connect(), "hello");
  EXPECT_EQ(server.stop(SIGINT), 0);
}

TEST_P(serve, a_server_without_connections_stops_at_once) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_EQ(server.report().connections, 0U);
}

// Tells 'A' when it has a request and 'D' when it has answered it; works in between.
task<> worker(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer, 1);
    if (!got || got->empty()) co_return;
    const auto begun = co_await send_text(peer, "A");
    if (!begun) co_return;
    static_cast<void>(co_await iolite::sleep(20ms));
    const auto done = co_await send_text(peer, "D");
    if (!done) co_return;
  }
}

TEST_P(serve, drain_under_load_loses_no_answer_to_a_request_it_had_received) {
  serve_options o = options();
  o.workers = traits().blocking ? 8 : 2;
  served server(worker, o);
  ASSERT_TRUE(server.listening()) << server.error();
  std::atomic<int> answered = 0;
  std::atomic<int> lost = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      try {
        const raw_socket peer = server.connect();
        while (peer.send_all("?")) {
          std::string a;
          try {
            a = peer.recv_some(1);
          } catch (const std::system_error&) {
            return;  // not received: the connection was over
          }
          if (a.empty()) return;
          ++lost;
          a = peer.recv_exactly(1);
          if (a != "D") return;
          --lost;
          ++answered;
        }
      } catch (const std::exception&) {
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered > 20; }));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  for (std::thread& c : clients) c.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(server.report().connections_cancelled, 0U);
}

// The same by leases: one may hold several requests.
task<> leasing_worker(stream peer) {
  for (;;) {
    const auto got = co_await peer.recv_lease();
    if (!got || got->empty()) co_return;
    for (std::size_t i = 0; i < got->bytes().size(); ++i) {
      const auto begun = co_await send_text(peer, "A");
      if (!begun) co_return;
      static_cast<void>(co_await iolite::sleep(20ms));
      const auto done = co_await send_text(peer, "D");
      if (!done) co_return;
    }
  }
}

// Wherever they are by then: in the kernel, or in buffers of the engine.
TEST_P(serve, requests_that_have_arrived_when_a_drain_begins_are_answered) {
  for (const auto& handle : {worker, leasing_worker}) {
    served server(handle, options());
    ASSERT_TRUE(server.listening()) << server.error();
    const raw_socket peer = server.connect();
    peer.send_all("?");
    EXPECT_EQ(peer.recv_exactly(1), "A");
    peer.send_all("??");
    EXPECT_EQ(peer.recv_exactly(2), "DA");
    peer.send_all("???");
    server.signal(SIGTERM);
    EXPECT_EQ(peer.recv_until_end(), "DADADADAD");
    EXPECT_EQ(server.wait(), 0);
    EXPECT_EQ(server.report().connections_cancelled, 0U);
  }
}

task<> stubborn(stream peer) {
  const auto sent = co_await send_text(peer, "A");
  EXPECT_TRUE(sent);
  static_cast<void>(co_await iolite::sleep(1h));
}

TEST_P(serve, what_does_not_finish_is_cancelled_at_the_drain_timeout) {
  serve_options o = options();
  o.drain_timeout = 100ms;
  served server(stubborn, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.stop(SIGTERM), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
  int error = 0;
  EXPECT_EQ(peer.recv_until_gone(error), "");
}

TEST_P(serve, a_second_signal_ends_the_process_at_once) {
  if (thread_sanitizer) {
    GTEST_SKIP() << "the sanitizer may keep a signal back for as long as a thread waits in a call";
  }
  serve_options o = options();
  o.drain_timeout = 1h;
  served server(stubborn, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] { return signal_was_taken(server.pid(), SIGTERM); }));
  const int status = server.stop(SIGTERM);
  EXPECT_TRUE(status == 143 || status == -SIGTERM) << status;
  EXPECT_TRUE(eventually([&] { return server.left_nothing_running(); })) << "its processes live on";
}

TEST_P(serve, a_server_that_drains_refuses_newcomers) {
  serve_options o = options();
  o.workers = 2;
  o.drain_timeout = 1h;
  served server(stubborn, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "A");
  server.signal(SIGTERM);
  // While it drains: nobody is kept in a queue that nobody serves.
  EXPECT_TRUE(eventually([&] {
    raw_socket late;
    return raw_socket::try_connect(server.at(), late) == ECONNREFUSED;
  }));
  server.signal(SIGKILL);
  EXPECT_EQ(server.wait(), -SIGKILL) << "it has ended before";
}

// However the server ends, its port is free again.
TEST_P(serve, a_killed_server_leaves_no_process_behind) {
  served server(echo, options());
  ASSERT_TRUE(server.listening()) << server.error();
  {
    const raw_socket peer = server.connect();
    expect_echo(peer, "hello");
    EXPECT_EQ(server.stop(SIGKILL), -SIGKILL);
  }
  EXPECT_TRUE(eventually([&] { return server.left_nothing_running(); })) << "its processes live on";
}

// Works for a moment on whatever it has received.
task<> thoughtful_echo(stream peer) {
  for (;;) {
    const auto got = co_await receive(peer, 100);
    if (!got || got->empty()) co_return;
    static_cast<void>(co_await iolite::sleep(1ms));
    if (!co_await send_text(peer, *got)) co_return;
  }
}

// There is always a request more in the socket: the end has to come between two of them.
TEST_P(serve, a_peer_that_asks_without_end_does_not_hold_up_the_drain) {
  serve_options o = options();
  o.drain_timeout = 20s;
  served server(thoughtful_echo, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  peer.set_buffers(4096, 0);
  std::atomic<std::size_t> answered = 0;
  std::thread asking([&] {
    while (peer.send_all("?")) {
    }
  });
  std::atomic<bool> reset = false;
  std::thread reading([&] {
    try {
      for (std::string got; !(got = peer.recv_some()).empty();) answered += got.size();
    } catch (const std::system_error&) {
      reset = true;
    }
  });
  EXPECT_TRUE(eventually([&] { return answered > 1000; }));
  EXPECT_EQ(server.stop(SIGTERM), 0);
  asking.join();
  reading.join();
  EXPECT_FALSE(reset) << "though requests are unread";
  EXPECT_EQ(server.report().connections_cancelled, 0U);
}

constexpr std::size_t request_bytes = 4096, answer_bytes = 16'384;

// A large answer for each request, so that many are on their way when the end comes.
task<> generous(stream peer) {
  std::string request(request_bytes, '?');
  const std::string answer = pattern(answer_bytes);
  for (;;) {
    const auto got = co_await peer.recv_all(bytes_of(request));
    if (!got) co_return;
    const auto sent = co_await send_text(peer, answer);
    if (!sent) co_return;
  }
}

TEST_P(serve, a_drain_delivers_what_it_has_sent_to_a_peer_that_asks_on_and_on) {
  serve_options o = options();
  o.workers = 2;
  o.drain_timeout = 20s;
  served server(generous, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  std::jthread asking([&] {
    const std::string request(request_bytes, 'r');
    while (peer.send_all(request)) {
    }
  });
  // Nothing is read before the drain has begun.
  EXPECT_EQ(peer.recv_exactly(answer_bytes), pattern(answer_bytes));
  server.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] {
    raw_socket late;
    return raw_socket::try_connect(server.at(), late) == ECONNREFUSED;
  }));
  int error = 0;
  const std::string rest = peer.recv_until_gone(error);
  EXPECT_EQ(error, 0) << "reset after " << rest.size() << " bytes";
  EXPECT_EQ(rest.size() % answer_bytes, 0U) << "an answer is cut";
  EXPECT_EQ(server.wait(), 0);
  asking.join();
  EXPECT_EQ(server.report().connections_cancelled, 0U);
}

// Its descriptor is the handler's own from then on: the drain must not touch that number.
task<> release_and_answer_once(stream peer) {
  const int fd = peer.release();
  EXPECT_GE(fd, 0);
  const raw_socket own(fd);
  char c = 'r';
  for (long n = ::send(fd, &c, 1, 0); n < 0 || c == 'r';) {
    static_cast<void>(co_await iolite::sleep(1ms));
    n = ::recv(fd, &c, 1, MSG_DONTWAIT);
    if (n == 0) co_return;
  }
  own.send_all(std::string_view(&c, 1));
}

TEST_P(serve, a_stream_that_was_released_is_not_drained) {
  serve_options o = options();
  o.drain_timeout = 20s;
  served server(release_and_answer_once, o);
  ASSERT_TRUE(server.listening()) << server.error();
  const raw_socket peer = server.connect();
  EXPECT_EQ(peer.recv_exactly(1), "r");
  server.signal(SIGTERM);
  EXPECT_TRUE(eventually([&] {
    raw_socket late;
    return raw_socket::try_connect(server.at(), late) == ECONNREFUSED;
  }));
  EXPECT_TRUE(peer.send_all("x"));
  EXPECT_EQ(peer.recv_until_end(), "x");
  EXPECT_EQ(server.wait(), 0);
}

// In this process, so that sanitizers see both sides.
// The library must not fork in this process, which has threads.
TEST_P(serve_in_one_process, a_stop_requested_from_another_thread_drains) {
  serve_stop stop;
  serve_options o = options();
  o.stop = &stop;
  o.signals = false;
  o.shares_memory = true;
  std::promise<std::vector<endpoint>> listening;
  o.on_listening = [&](const model_choice& c, const std::vector<endpoint>& at) {
    EXPECT_EQ(c.model, model());
    listening.set_value(at);
  };
  std::expected<serve_report, error> result;
  std::thread server([&] { result = iolite::serve(echo, o); });
  auto future = listening.get_future();
  ASSERT_EQ(future.wait_for(20s), std::future_status::ready);
  const endpoint at = future.get().front();
  {
    const raw_socket idle = raw_socket::connect(at);
    expect_echo(idle, "hello");
    expect_echo(raw_socket::connect(at), "another");
    stop.request();
    EXPECT_EQ(idle.recv_until_end(), "");
  }
  server.join();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->connections, 2U);
}

// The library must not fork in this process, which has threads.
TEST_P(serve_in_one_process, a_stop_requested_before_it_begins_is_kept) {
  serve_stop stop;
  stop.request();
  serve_options o = options();
  o.stop = &stop;
  o.signals = false;
  const auto result = iolite::serve(echo, o);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->connections, 0U);
}

}  // namespace
}  // namespace iolite_test

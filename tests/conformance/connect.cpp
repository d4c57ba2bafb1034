// Connections that come to be, that are refused, and that take too long.
#include "support/engine_test.hpp"

#include "kernel/kernel.hpp"

#include <cerrno>

namespace iolite_test {
namespace {

using namespace iolite;

task<result<std::string>> ask(endpoint to, std::string question, std::size_t answer_bytes) {
  auto peer = co_await stream::connect(to);
  if (!peer) co_return std::unexpected(peer.error());
  const auto sent = co_await send_text(*peer, question);
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await receive_exactly(*peer, answer_bytes);
}

task<std::error_code> try_connect(endpoint to, iolite::clock::duration limit) {
  const auto peer = co_await stream::connect(to, limit);
  co_return peer ? std::error_code() : peer.error();
}

TEST_P(engine, connect_over_tcp_and_talk) {
  const raw_listener l;
  other_thread server([&] {
    const raw_socket s = l.accept();
    EXPECT_EQ(s.recv_exactly(4), "ping");
    s.send_all("pong");
  });
  EXPECT_EQ(run(ask(l.address(), "ping", 4)).value_or("error"), "pong");
  server.join();
}

// Who asks how a connect went that was in progress: Linux says 0 once, others EISCONN. connect(2).
class says_is_connected final : public kernel {
 public:
  iolite::clock::time_point now() noexcept override { return system_of_test().now(); }
  kernel& undecorated() noexcept override { return system_of_test().undecorated(); }
  long invoke(call c, const call_args& a) noexcept override {
    const long r = system_of_test().invoke(c, a);
    if (c != call::connect) return r;
    const bool asked_before = begun_ && r == 0;
    begun_ = r == -EINPROGRESS || r == -EALREADY;
    return asked_before ? -EISCONN : r;
  }

 private:
  bool begun_ = false;
};

TEST_P(engine, connect_where_the_kernel_says_that_it_is_made) {
  const raw_listener l;
  other_thread server([&] {
    const raw_socket s = l.accept();
    EXPECT_EQ(s.recv_exactly(4), "ping");
    s.send_all("pong");
  });
  says_is_connected os;
  const auto on_it = new_engine(os, GetParam());
  EXPECT_EQ(on_it->run(ask(l.address(), "ping", 4)).value_or("error"), "pong");
  server.join();
}

TEST_P(engine, connect_over_unix_and_talk) {
  const temporary_folder folder;
  const raw_listener l = raw_listener::on_unix(folder / "s");
  other_thread server([&] {
    const raw_socket s = l.accept();
    EXPECT_EQ(s.recv_exactly(4), "ping");
    s.send_all("pong");
  });
  EXPECT_EQ(run(ask(l.address(), "ping", 4)).value_or("error"), "pong");
  server.join();
}

TEST_P(engine, connect_tells_both_addresses) {
  const raw_listener l;
  struct body {
    static task<> check(endpoint to) {
      const auto peer = co_await stream::connect(to);
      EXPECT_TRUE(peer);
      if (!peer) co_return;
      EXPECT_TRUE(peer->is_tcp());
      EXPECT_EQ(peer->peer(), to);
      EXPECT_TRUE(peer->local().is_tcp());
      EXPECT_NE(peer->local().port(), 0);
      EXPECT_EQ(peer->on(), iolite::engine::current());
    }
  };
  run(body::check(l.address()));
}

TEST_P(engine, connect_where_nobody_listens_is_refused) {
  EXPECT_EQ(run(try_connect(unused_address(), 10s)), std::errc::connection_refused);
}

TEST_P(engine, connect_without_a_limit_where_nobody_listens_is_refused) {
  EXPECT_EQ(run(try_connect(unused_address(), iolite::clock::duration::max())),
            std::errc::connection_refused);
}

TEST_P(engine, connect_to_a_missing_unix_path_says_so) {
  const temporary_folder folder;
  const auto to = endpoint::parse("unix:" + (folder / "nobody"));
  ASSERT_TRUE(to) << to.error().message;
  EXPECT_EQ(run(try_connect(*to, 10s)), std::errc::no_such_file_or_directory);
}

TEST_P(engine, connect_to_a_unix_path_whose_server_died_is_refused) {
  const temporary_folder folder;
  raw_listener l = raw_listener::on_unix(folder / "s");
  const endpoint to = l.address();
  l.close();
  EXPECT_EQ(run(try_connect(to, 10s)), std::errc::connection_refused);
}

TEST_P(engine, connect_gives_up_at_its_limit_and_not_before) {
  const full_listener full;
  const auto begin = now();
  EXPECT_EQ(run(try_connect(full.listening.address(), 30ms)), std::errc::timed_out);
  EXPECT_GE(now() - begin, 30ms);
}

TEST_P(engine, connect_that_gave_up_leaves_no_socket_behind) {
  const full_listener full;
  static_cast<void>(on());
  const int before = open_descriptors();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(try_connect(full.listening.address(), 5ms)), std::errc::timed_out);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(engine, connect_refused_a_hundred_times_leaves_no_socket_behind) {
  const endpoint nobody = unused_address();
  EXPECT_EQ(run(try_connect(nobody, 10s)), std::errc::connection_refused);
  const int before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(run(try_connect(nobody, 10s)), std::errc::connection_refused);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(engine, many_connects_at_once_all_come_through) {
  const raw_listener l;
  constexpr int count = 40;
  struct bodies {
    static task<> one(endpoint to, std::string& out) {
      const auto r = co_await ask(to, "x", 1);
      out = r ? *r : r.error().message();
    }
    static task<> all(endpoint to, std::vector<std::string>& out) {
      scope children;
      for (std::string& o : out) children.spawn(one(to, o));
      co_await children.join();
    }
  };
  other_thread server([&] {
    std::vector<raw_socket> peers;
    for (int i = 0; i < count; ++i) peers.push_back(l.accept());
    for (const raw_socket& p : peers) p.send_all(p.recv_exactly(1));
  });
  std::vector<std::string> out(count);
  run(bodies::all(l.address(), out));
  server.join();
  for (const std::string& o : out) EXPECT_EQ(o, "x");
}

TEST_P(engine, connect_to_no_address_is_an_error) {
  const std::error_code code = run(try_connect(endpoint(), 1s));
  EXPECT_TRUE(code);
  EXPECT_NE(code, std::errc::timed_out);
}

}  // namespace
}  // namespace iolite_test

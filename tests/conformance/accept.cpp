// Listening and accepting, also when connections die in the queue or descriptors run out.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <vector>

namespace iolite_test {
namespace {

using namespace iolite;

listener open_listener(iolite::engine& on, const std::string& at = "127.0.0.1:0") {
  const auto where = endpoint::parse(at);
  if (!where) throw std::runtime_error(where.error().message);
  auto made = listener::open(on, *where);
  if (!made) throw std::runtime_error(made.error().message);
  return std::move(*made);
}

// Accepts one connection and receives what it sends until it ends.
task<result<std::string>> accept_and_receive(listener& from) {
  auto peer = co_await from.accept();
  if (!peer) co_return std::unexpected(peer.error());
  co_return co_await receive_until_end(*peer);
}

void send_one(const endpoint& to, std::string_view text) { raw_socket::connect(to).send_all(text); }

TEST_P(engine, port_zero_asks_the_system_for_one) {
  const listener l = open_listener(on());
  EXPECT_NE(l.local().port(), 0);
  EXPECT_TRUE(l.local().is_local());
}

TEST_P(engine, accept_gives_the_connection_that_waits) {
  listener l = open_listener(on());
  send_one(l.local(), "hello");
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "hello");
}

TEST_P(engine, accept_waits_for_a_connection) {
  listener l = open_listener(on());
  struct bodies {
    static task<> child(listener from, std::string& out) {
      const auto r = co_await accept_and_receive(from);
      out = r.value_or("error");
    }
    static task<> all(listener from, std::string& out) {
      const endpoint at = from.local();
      scope children;
      children.spawn(child(std::move(from), out));
      co_await let_others_run();
      send_one(at, "late");
      co_await children.join();
    }
  };
  std::string out;
  run(bodies::all(std::move(l), out));
  EXPECT_EQ(out, "late");
}

TEST_P(engine, accept_over_unix_and_the_path_goes_with_the_listener) {
  const temporary_folder folder;
  listener l = open_listener(on(), "unix:" + (folder / "s"));
  const endpoint at = l.local();
  send_one(at, "hello");
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "hello");
  l.close();
  raw_socket nobody;
  EXPECT_EQ(raw_socket::try_connect(at, nobody), ENOENT) << "refused where the path is left";
}

TEST_P(engine, a_unix_path_left_by_a_dead_server_is_taken_over) {
  const temporary_folder folder;
  const std::string path = folder / "s";
  raw_listener::on_unix(path).close();
  listener l = open_listener(on(), "unix:" + path);
  send_one(l.local(), "hello");
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "hello");
}

TEST_P(engine, a_unix_path_of_a_living_server_is_not_taken) {
  const temporary_folder folder;
  const raw_listener living = raw_listener::on_unix(folder / "s");
  auto made = listener::open(on(), living.address());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, std::errc::address_in_use) << made.error().message;
  send_one(living.address(), "still there");
  std::string got;  // it may have looked whether somebody answers: a connection without a byte
  for (int i = 0; i < 2 && got.empty(); ++i) got = living.accept().recv_until_end();
  EXPECT_EQ(got, "still there");
}

// Whether it was in the queue already, or on its way there.
TEST_P(engine, a_listener_that_closes_leaves_nobody_in_silence) {
  const temporary_folder folder;
  for (const std::string& at : {std::string("127.0.0.1:0"), "unix:" + (folder / "s")}) {
    listener l = open_listener(on(), at);
    const raw_socket peer = raw_socket::connect(l.local());
    l.close();
    int error = 0;
    EXPECT_EQ(peer.recv_until_gone(error), "") << at;
  }
}

TEST_P(engine, a_port_in_use_gives_one_line_that_names_it) {
  const raw_listener taken;
  auto made = listener::open(on(), taken.address());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, std::errc::address_in_use);
  EXPECT_NE(made.error().message.find(std::to_string(taken.address().port())), std::string::npos)
      << made.error().message;
  EXPECT_EQ(made.error().message.find('\n'), std::string::npos);
}

TEST_P(engine, accept_of_a_connection_that_has_ended_already) {
  listener l = open_listener(on());
  raw_socket::connect(l.local()).close();
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "");
}

TEST_P(engine, accept_of_a_connection_that_was_reset_passes_or_tells) {
  listener l = open_listener(on());
  raw_socket dead = raw_socket::connect(l.local());
  dead.reset();
  send_one(l.local(), "alive");
  const auto first = run(accept_and_receive(l));
  if (first && *first == "alive") return;  // the dead one was passed over
  EXPECT_TRUE(first ? first->empty() : first.error() == std::errc::connection_reset);
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "alive");
}

// accept(2): "treat them like EAGAIN by retrying".
TEST_P(engine, accept_passes_over_connections_that_died_in_the_queue) {
  faulty& os = on_faulty({{.what = call::accept4, .nth = 1, .error = ECONNABORTED},
                          {.what = call::accept4, .nth = 2, .error = EPROTO},
                          {.what = call::accept4, .nth = 3, .error = ENETDOWN},
                          {.what = call::accept4, .nth = 4, .error = EHOSTUNREACH},
                          {.what = call::accept4, .nth = 5, .error = EINTR}});
  listener l = open_listener(on());
  send_one(l.local(), "hello");
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "hello");
  if (os.calls(call::accept4) > 0) {
    EXPECT_EQ(os.injected(), 5U);
  }
}

TEST_P(engine, accept_tells_when_descriptors_run_out_and_goes_on_after) {
  faulty& os = on_faulty({{.what = call::accept4, .nth = 1, .error = EMFILE}});
  listener l = open_listener(on());
  send_one(l.local(), "hello");
  auto got = run(accept_and_receive(l));
  if (os.injected() > 0) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error(), std::errc::too_many_files_open);
    got = run(accept_and_receive(l));
  }
  EXPECT_EQ(got.value_or("error"), "hello");
}

TEST_P(engine, many_accepts_from_one_queue) {
  listener l = open_listener(on());
  constexpr int count = 200;
  struct body {
    static task<int> all(listener& from) {
      int accepted = 0;
      for (int i = 0; i < count; ++i) {
        const auto peer = co_await from.accept();
        if (peer) ++accepted;
      }
      co_return accepted;
    }
  };
  std::vector<raw_socket> clients;
  for (int i = 0; i < count; ++i) clients.push_back(raw_socket::connect(l.local()));
  const auto before = on().stats().waits;
  EXPECT_EQ(run(body::all(l)), count);
  // Where a wait looks at all descriptors, one for every few newcomers would cost more than they.
  // The kernel accepts for io_uring, and posix_aio asks for each.
  if (on().name() != "io_uring" && on().name() != "posix_aio") {
    EXPECT_LE(on().stats().waits - before, count / 20U);
  }
}

// Asks again and again, as a server does: an engine may take more than it was asked for then.
task<> accept_often(listener& from) {
  for (int i = 0; i < 10; ++i) {
    const raw_socket client = raw_socket::connect(from.local());
    const auto peer = co_await from.accept();
    EXPECT_TRUE(peer.has_value());
  }
}

TEST_P(engine, who_asks_no_more_leaves_newcomers_in_the_queue) {
  listener l = open_listener(on());
  struct body {
    static task<> all(listener& from) {
      co_await accept_often(from);
      co_await let_others_run();
    }
  };
  run(body::all(l));
  const raw_socket late = raw_socket::connect(l.local());
  late.send_all("for whoever takes it");
  pollfd there{l.native_handle(), POLLIN, 0};
  ASSERT_EQ(system_of_test().poll(&there, 1, 5000), 1);
  const int fd = system_of_test().accept4(l.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
  ASSERT_GE(fd, 0) << strerrorname_np(-fd);
  const raw_socket taken(fd);
  EXPECT_EQ(taken.recv_exactly(20), "for whoever takes it");
}

TEST_P(engine, an_accept_that_timed_out_loses_nobody) {
  listener l = open_listener(on());
  struct body {
    static task<int> all(listener& from) {
      co_await accept_often(from);
      auto in_vain = from.accept();
      const auto nobody = co_await (in_vain | within(1ms));
      EXPECT_EQ(nobody.error(), std::errc::timed_out);
      std::vector<raw_socket> clients;
      for (int i = 0; i < 5; ++i) clients.push_back(raw_socket::connect(from.local()));
      int accepted = 0;
      for (int i = 0; i < 5; ++i) {
        const auto peer = co_await from.accept();
        if (peer) ++accepted;
      }
      co_return accepted;
    }
  };
  EXPECT_EQ(run(body::all(l)), 5);
}

TEST_P(engine, a_closed_listener_keeps_nobody_waiting_and_no_port) {
  listener l = open_listener(on());
  const endpoint at = l.local();
  struct body {
    static task<std::vector<raw_socket>> all(listener& from) {
      co_await accept_often(from);
      std::vector<raw_socket> clients;
      for (int i = 0; i < 5; ++i) clients.push_back(raw_socket::connect(from.local()));
      const auto peer = co_await from.accept();
      EXPECT_TRUE(peer.has_value());
      from.close();
      co_return clients;
    }
  };
  const std::vector<raw_socket> clients = run(body::all(l));
  for (const raw_socket& c : clients) {
    int error = 0;
    EXPECT_EQ(c.recv_until_gone(error), "");
  }
  const auto again = listener::open(on(), at);
  EXPECT_TRUE(again.has_value()) << again.error().message;
}

TEST_P(engine, closing_a_listener_ends_a_pending_accept) {
  if (traits().blocking)
    GTEST_SKIP() << "two tasks may not share a listener where each has a thread";
  listener l = open_listener(on());
  struct bodies {
    static task<> child(listener& from, outcome& out) {
      const auto r = co_await from.accept();
      out.set(r);
    }
    static task<> all(listener& from, outcome& out) {
      scope children;
      children.spawn(child(from, out));
      co_await let_others_run();
      from.close();
      co_await children.join();
    }
  };
  outcome out;
  run(bodies::all(l, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, an_adopted_listener_accepts) {
  raw_listener raw;
  const endpoint at = raw.address();
  set_nonblocking(raw.fd(), traits().needs_nonblocking);
  listener l = listener::adopt(on(), raw.release());
  EXPECT_EQ(l.local(), at);
  send_one(at, "hello");
  EXPECT_EQ(run(accept_and_receive(l)).value_or("error"), "hello");
}

// Whoever has come is accepted here or waits for the next owner, and is lost on no engine.
TEST_P(engine, a_released_listener_loses_nobody) {
  struct body {
    static task<> accept_one(listener& l) {
      const auto peer = co_await l.accept();
      EXPECT_TRUE(peer);
    }
    // Eight one by one; then one is waited for, and five come.
    static task<> accept_some(listener& l, std::vector<raw_socket>& clients) {
      for (int i = 0; i < 8; ++i) {
        clients.push_back(raw_socket::connect(l.local()));
        co_await accept_one(l);
      }
      scope s;
      s.spawn(accept_one(l));
      co_await let_others_run();
      for (int i = 0; i < 5; ++i) clients.push_back(raw_socket::connect(l.local()));
      co_await s.join();
    }
  };
  auto l = listener::open(on(), endpoint::parse("127.0.0.1:0").value());
  ASSERT_TRUE(l);
  std::vector<raw_socket> clients;
  run(body::accept_some(*l, clients));
  int left = 4;
  int fd = 0;
  for (; (fd = l->release()) == -EBUSY; --left) run(body::accept_one(*l));
  ASSERT_GE(fd, 0);
  EXPECT_FALSE(l->is_open());
  listener next = listener::adopt(on(), fd);
  for (; left > 0; --left) run(body::accept_one(next));
}

}  // namespace
}  // namespace iolite_test

// ready(): several on one descriptor, and beside receives, sends and accepts.
#include "seen.hpp"

#include <array>

namespace iolite_test {
namespace {

using namespace iolite;

#define ONE_THREAD_ONLY()                                                                          \
  if (traits().blocking) GTEST_SKIP() << "each task has a thread and an engine of its own there"

void put(int fd) { EXPECT_EQ(system_of_test().write(fd, "x", 1), 1); }

void expect_cancelled(const seen& s) {
  EXPECT_EQ(s.times, 1);
  EXPECT_EQ(s.code, std::errc::operation_canceled);
}

TEST_P(engine, several_are_ready_together) {
  struct body {
    static task<> all(int reader, int writer, std::array<seen, 3>& out) {
      scope s;
      for (seen& one : out) s.spawn(see(reader, interest::read, one));
      co_await let_others_run();
      put(writer);
      co_await s.join();
    }
  };
  const pipe_ends p = new_pipe();
  for (int round = 0; round < 3; ++round) {
    std::array<seen, 3> out;
    run(body::all(p.reader.get(), p.writer.get(), out));
    for (const seen& one : out) expect_seen(one, interest::read);
    char byte = 0;
    EXPECT_EQ(system_of_test().read(p.reader.get(), &byte, 1), 1);
  }
}

TEST_P(engine, ready_to_read_beside_ready_to_write) {
  struct body {
    static task<> all(const raw_pair& p, std::array<seen, 3>& out) {
      scope s;
      s.spawn(see(p.a.fd(), interest::read, out[0]));
      s.spawn(see(p.a.fd(), interest::write, out[1]));
      co_await let_others_run();
      s.spawn(see(p.a.fd(), interest::both, out[2]));
      co_await let_others_run();
      p.b.send_all("x");
      co_await s.join();
    }
  };
  const raw_pair p = raw_unix_pair();
  std::array<seen, 3> out;
  run(body::all(p, out));
  expect_seen(out[0], interest::read);
  expect_seen(out[1], interest::write);
  EXPECT_TRUE(has(out[2].what, interest::write));
}

// The receive may take what the other one waits for: then that waits for what comes next.
TEST_P(engine, ready_beside_a_receive) {
  struct body {
    static task<> receive_one(stream& from, event& received, outcome& out) {
      const auto r = co_await receive(from);
      out.set(r);
      received.set();
    }
    static task<> all(half_pair& p, bool first, std::array<seen, 2>& out, outcome& got) {
      event received;
      scope s;
      if (first) s.spawn(receive_one(p.ours, received, got));
      for (seen& one : out) s.spawn(see(p.ours.native_handle(), interest::read, one));
      if (!first) s.spawn(receive_one(p.ours, received, got));
      co_await let_others_run();
      p.theirs.send_all("one");
      auto gone = received.wait();
      co_await gone;
      p.theirs.send_all("two");
      co_await s.join();
      const auto next = co_await receive(p.ours);
      EXPECT_EQ(next.value_or("error"), "two");
    }
  };
  for (const bool first : {true, false}) {
    for (half_pair& p : std::array{unix_half(on()), tcp_half(on())}) {
      std::array<seen, 2> out;
      outcome got;
      run(body::all(p, first, out, got));
      EXPECT_EQ(got.bytes, "one");
      for (const seen& one : out) expect_seen(one, interest::read);
    }
  }
}

TEST_P(engine, ready_beside_a_send) {
  struct body {
    static task<> send(stream& to, std::string_view text, outcome& out) {
      const auto r = co_await send_text(to, text);
      out.set(r);
    }
    static task<> all(half_pair& p, std::string_view text, seen& out, outcome& sent) {
      scope s;
      s.spawn(send(p.ours, text, sent));
      co_await let_others_run();
      s.spawn(see(p.ours.native_handle(), interest::write, out));
      co_await let_others_run();
      const other_thread reader(
          [&p, text] { EXPECT_EQ(p.theirs.recv_exactly(text.size()), text); });
      co_await s.join();
    }
  };
  half_pair p = unix_half(on());
  const std::string text = pattern(4 << 20);
  seen out;
  outcome sent;
  run(body::all(p, text, out, sent));
  EXPECT_FALSE(sent.code) << sent.code.message();
  expect_seen(out, interest::write);
}

TEST_P(engine, ready_beside_an_accept) {
  struct body {
    static task<> accept_one(listener& from, event& accepted, outcome& out) {
      const auto r = co_await from.accept();
      out.set(r);
      accepted.set();
    }
    static task<> all(listener& l, seen& out, outcome& got) {
      event accepted;
      scope s;
      s.spawn(accept_one(l, accepted, got));
      s.spawn(see(l.native_handle(), interest::read, out));
      co_await let_others_run();
      const raw_socket one = raw_socket::connect(l.local());
      auto gone = accepted.wait();
      co_await gone;
      const raw_socket two = raw_socket::connect(l.local());
      co_await s.join();
    }
  };
  auto l = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  seen out;
  outcome got;
  run(body::all(*l, out, got));
  EXPECT_FALSE(got.code) << got.code.message();
  expect_seen(out, interest::read);
}

task<> see_published(int fd, seen& out, ready_operation*& published) {
  auto op = ready(fd, interest::read);
  published = &op;
  const auto r = co_await op;
  out.set(r);
}

TEST_P(engine, cancel_of_one_ready_leaves_the_other) {
  ONE_THREAD_ONLY();
  struct body {
    static task<> all(iolite::engine& on, int reader, int writer, int which,
                      std::array<seen, 3>& out) {
      std::array<ready_operation*, 3> ops{};
      scope s;
      for (std::size_t i = 0; i < out.size(); ++i) s.spawn(see_published(reader, out[i], ops[i]));
      co_await let_others_run();
      on.cancel(*ops[static_cast<std::size_t>(which)]);
      co_await let_others_run();
      EXPECT_EQ(out[static_cast<std::size_t>(which)].times, 1);
      put(writer);
      co_await s.join();
    }
  };
  for (int which = 0; which < 3; ++which) {
    const pipe_ends p = new_pipe();
    std::array<seen, 3> out;
    run(body::all(on(), p.reader.get(), p.writer.get(), which, out));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (static_cast<int>(i) == which) expect_cancelled(out[i]);
      else expect_seen(out[i], interest::read);
    }
  }
}

TEST_P(engine, deadline_of_one_ready_leaves_the_other) {
  struct body {
    static task<> hurry(int fd, outcome& out) {
      const auto r = co_await (ready(fd, interest::read) | within{5ms});
      out.set(r ? std::error_code() : r.error());
    }
    static task<> all(int reader, int writer, seen& patient, outcome& hasty) {
      scope s;
      s.spawn(see(reader, interest::read, patient));
      scope other;
      other.spawn(hurry(reader, hasty));
      co_await other.join();
      put(writer);
      co_await s.join();
    }
  };
  const pipe_ends p = new_pipe();
  seen patient;
  outcome hasty;
  run(body::all(p.reader.get(), p.writer.get(), patient, hasty));
  EXPECT_EQ(hasty.code, std::errc::timed_out);
  expect_seen(patient, interest::read);
}

// Its number is another stream's at once, of which none of them may be told.
TEST_P(engine, closing_a_stream_ends_all_that_wait_on_it) {
  ONE_THREAD_ONLY();
  struct body {
    static task<> receive_one(stream& from, outcome& out) {
      const auto r = co_await receive(from);
      out.set(r);
    }
    static task<> all(iolite::engine& on, std::array<seen, 3>& out, outcome& got) {
      half_pair p = unix_half(on);
      const int fd = p.ours.native_handle();
      scope s;
      s.spawn(see(fd, interest::read, out[0]));
      s.spawn(receive_one(p.ours, got));
      s.spawn(see(fd, interest::read, out[1]));
      s.spawn(see(fd, interest::read, out[2]));
      co_await let_others_run();
      p.ours.close();
      half_pair next = unix_half(on);
      next.theirs.send_all("fresh");
      co_await s.join();
      const auto fresh = co_await receive_within(next.ours, 5s);
      EXPECT_EQ(fresh.value_or("nothing"), "fresh");
    }
  };
  std::array<seen, 3> out;
  outcome got;
  run(body::all(on(), out, got));
  EXPECT_EQ(got.code, std::errc::operation_canceled);
  for (const seen& one : out) expect_cancelled(one);
}

TEST_P(engine, releasing_a_stream_ends_those_that_wait_on_it) {
  ONE_THREAD_ONLY();
  struct body {
    static task<> all(iolite::engine& on, std::array<seen, 2>& out) {
      half_pair p = unix_half(on);
      scope s;
      for (seen& one : out) s.spawn(see(p.ours.native_handle(), interest::read, one));
      co_await let_others_run();
      stream again = adopt(on, p.ours.release());
      co_await s.join();
      p.theirs.send_all("fresh");
      const auto fresh = co_await receive_within(again, 5s);
      EXPECT_EQ(fresh.value_or("nothing"), "fresh");
    }
  };
  std::array<seen, 2> out;
  run(body::all(on(), out));
  for (const seen& one : out) expect_cancelled(one);
}

TEST_P(engine, closing_a_listener_ends_those_that_wait_on_it) {
  ONE_THREAD_ONLY();
  struct body {
    static task<> all(listener& l, seen& out) {
      scope s;
      s.spawn(see(l.native_handle(), interest::read, out));
      co_await let_others_run();
      l.close();
      co_await s.join();
    }
  };
  auto l = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  seen out;
  run(body::all(*l, out));
  expect_cancelled(out);
}

}  // namespace
}  // namespace iolite_test

// No time passes between readiness and the end of an operation that waits for it. Many a lost event
// is found again by a second look, 10 ms later, and then nothing but the time tells. In simulated
// worlds time passes by what happens there alone: a segment takes at most 1 ms.
#include "seen.hpp"

#include <optional>

namespace iolite_test {
namespace {

using namespace iolite;

// Less than any second look takes; more than three segments, one after the other.
constexpr auto at_once = 5ms;

// When something became so, and when it was told.
struct moment {
  std::optional<clock::time_point> begun, ended;
  void begin() { begun = now(); }
  void end() { ended = now(); }
  void expect_at_once(const char* what) const {
    ASSERT_TRUE(begun && ended) << what;
    EXPECT_LT(*ended - *begun, at_once) << what;
  }
};

task<> receive_one(stream& from, std::string& got, moment& m) {
  const auto r = co_await receive(from);
  m.end();
  got = r.value_or(r ? "" : r.error().message());
}

// A receive that waits; then `act` of the other side.
template <class Act>
void expect_receive(iolite::engine& on, half_pair p, const char* what, std::string_view expected,
                    Act act) {
  struct body {
    static task<> all(half_pair& p, const Act& act, std::string& got, moment& m) {
      scope s;
      s.spawn(receive_one(p.ours, got, m));
      auto pause = sleep(100ms);  // nobody looks a second time any more
      co_await pause;
      m.begin();
      act(p.theirs);
      co_await s.join();
    }
  };
  std::string got;
  moment m;
  on.run(body::all(p, act, got, m));
  if (!expected.empty()) {
    EXPECT_EQ(got, expected) << what;
  }
  m.expect_at_once(what);
}

TEST_P(engine, a_receive_that_waits_is_told_at_once) {
  for (const auto make : {unix_half, tcp_half}) {
    expect_receive(on(), make(on()), "data", "x", [](raw_socket& s) { s.send_all("x"); });
    expect_receive(on(), make(on()), "end", "", [](raw_socket& s) { s.close(); });
    expect_receive(on(), make(on()), "half end", "", [](raw_socket& s) { s.half_close(); });
    expect_receive(on(), make(on()), "reset", "", [](raw_socket& s) { s.reset(); });
  }
}

TEST_P(engine, what_is_there_is_received_at_once) {
  struct body {
    static task<> all(half_pair& p, moment& m) {
      auto pause = sleep(100ms);
      co_await pause;
      m.begin();
      for (const std::size_t bytes : {1UL, 1UL, 100UL, 4096UL, 1UL}) {
        const auto r = co_await receive_exactly(p.ours, bytes);
        EXPECT_EQ(r.value_or("").size(), bytes);
      }
      m.end();
    }
  };
  for (const auto make : {unix_half, tcp_half}) {
    half_pair p = make(on());
    p.theirs.send_all(pattern(1 + 1 + 100 + 4096 + 1));
    moment m;
    run(body::all(p, m));
    m.expect_at_once("what is there");
  }
}

// The end came with the last bytes, and nobody waited.
TEST_P(engine, an_end_that_is_there_is_received_at_once) {
  struct body {
    static task<> all(half_pair& p, moment& m) {
      const auto hello = co_await receive(p.ours);
      EXPECT_EQ(hello.value_or("?"), "hello");
      p.theirs.send_all("last");
      p.theirs.half_close();
      auto pause = sleep(100ms);
      co_await pause;
      m.begin();
      const auto last = co_await receive(p.ours);
      EXPECT_EQ(last.value_or("?"), "last");
      const auto end = co_await receive(p.ours);
      EXPECT_EQ(end.value_or("?"), "");
      m.end();
    }
  };
  for (const auto make : {unix_half, tcp_half}) {
    half_pair p = make(on());
    p.theirs.send_all("hello");
    moment m;
    run(body::all(p, m));
    m.expect_at_once("the end");
  }
}

// Each message comes when the receive of the one before it was exact, short or not over yet.
TEST_P(engine, a_conversation_takes_the_time_of_its_segments) {
  constexpr int rounds = 50;
  struct body {
    static task<> ours(stream& s) {
      for (int i = 0; i < rounds; ++i) {
        const auto r = co_await receive_exactly(s, static_cast<std::size_t>(1 + i % 7));
        if (!r) co_return;
        const auto sent = co_await send_text(s, *r);
        EXPECT_TRUE(sent);
      }
    }
    static task<> theirs(stream& s, moment& m) {
      m.begin();
      for (int i = 0; i < rounds; ++i) {
        const std::string text = pattern(static_cast<std::size_t>(1 + i % 7));
        const auto sent = co_await send_text(s, text);
        EXPECT_TRUE(sent);
        const auto r = co_await receive_exactly(s, text.size());
        EXPECT_EQ(r.value_or("?"), text);
      }
      m.end();
    }
    static task<> all(stream_pair& p, moment& m) {
      scope s;
      s.spawn(ours(p.a));
      s.spawn(theirs(p.b, m));
      co_await s.join();
    }
  };
  for (const auto make : {unix_streams, tcp_streams}) {
    stream_pair p = make(on());
    moment m;
    run(body::all(p, m));
    ASSERT_TRUE(m.begun && m.ended);
    EXPECT_LT(*m.ended - *m.begun, rounds * 2 * 2ms) << "two segments a round, 1 ms each at most";
  }
}

TEST_P(engine, a_send_that_waits_for_room_is_told_at_once) {
  struct body {
    static task<> send(stream& to, std::string_view text, moment& m) {
      const auto r = co_await send_text(to, text);
      m.end();
      EXPECT_TRUE(r);
    }
    static task<> all(half_pair& p, std::string_view text, moment& m) {
      scope s;
      s.spawn(send(p.ours, text, m));
      auto pause = sleep(100ms);
      co_await pause;
      m.begin();
      const other_thread reader(
          [&p, text] { EXPECT_EQ(p.theirs.recv_exactly(text.size()), text); });
      co_await s.join();
    }
  };
  half_pair p = unix_half(on());
  const std::string text = pattern(1 << 20);
  moment m;
  run(body::all(p, text, m));
  m.expect_at_once("room");
}

TEST_P(engine, an_accept_that_waits_is_told_at_once) {
  struct body {
    static task<> accept(listener& from, moment& m) {
      const auto r = co_await from.accept();
      m.end();
      EXPECT_TRUE(r);
    }
    static task<> all(listener& l, moment& m) {
      scope s;
      s.spawn(accept(l, m));
      auto pause = sleep(100ms);
      co_await pause;
      m.begin();
      const raw_socket client = raw_socket::connect(l.local());
      co_await s.join();
    }
  };
  auto l = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(l);
  for (int i = 0; i < 3; ++i) {
    moment m;
    run(body::all(*l, m));
    m.expect_at_once("a connection");
  }
}

task<> wait_ready(int fd, interest what, moment& m) {
  const auto r = co_await ready(fd, what);
  m.end();
  EXPECT_TRUE(r);
}

TEST_P(engine, ready_that_waits_is_told_at_once) {
  struct body {
    static task<> all(pipe_ends& p, bool ends, moment& m, moment& other) {
      scope s;
      s.spawn(wait_ready(p.reader.get(), interest::read, m));
      s.spawn(wait_ready(p.reader.get(), interest::read, other));
      auto pause = sleep(100ms);
      co_await pause;
      m.begin();
      other.begin();
      if (ends) p.writer.close();
      else EXPECT_EQ(system_of_test().write(p.writer.get(), "x", 1), 1);
      co_await s.join();
    }
  };
  for (const bool ends : {false, true}) {
    pipe_ends p = new_pipe();
    moment one, two;
    run(body::all(p, ends, one, two));
    one.expect_at_once(ends ? "the end" : "data");
    two.expect_at_once(ends ? "the end" : "data");
  }
}

}  // namespace
}  // namespace iolite_test

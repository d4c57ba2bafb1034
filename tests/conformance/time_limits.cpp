// The time limits of a stream: none of its bytes moves, it lasts too long, its peer trickles.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> drip(stream& to, int pieces, iolite::clock::duration pause, std::size_t bytes = 1) {
  const std::string piece(bytes, 'x');
  for (int i = 0; i < pieces; ++i) {
    auto between = iolite::sleep(pause);
    const auto slept = co_await between;
    if (!slept) co_return;
    const auto sent = co_await to.send_all(piece);
    if (!sent) co_return;
  }
}

// Longer in all than the idle timeout, never as long at a time.
TEST_P(engine, a_transfer_that_goes_on_outlives_the_idle_timeout) {
  struct bodies {
    static task<> all(stream_pair& p, std::size_t pieces) {
      scope sender;
      sender.spawn(drip(p.b, static_cast<int>(pieces), 60ms));
      std::string text(pieces, '?');
      auto whole = p.a.recv_all(bytes_of(text));
      const auto r = co_await whole;
      EXPECT_TRUE(r) << r.error().message() << " after " << whole.moved << " bytes";
      co_await sender.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_idle_timeout(300ms);
  run(bodies::all(p, 7));
}

TEST_P(engine, a_send_that_goes_on_outlives_the_idle_timeout) {
  struct bodies {
    static task<> read_slowly(stream& from, std::size_t bytes) {
      std::string part(bytes, '?');
      for (;;) {
        auto between = iolite::sleep(60ms);
        static_cast<void>(co_await between);
        const auto r = co_await from.recv_all(bytes_of(part));
        if (!r) co_return;
      }
    }
    static task<> all(stream_pair& p, std::string_view text) {
      scope reader;
      reader.spawn(read_slowly(p.b, text.size() / 8));
      const auto r = co_await p.a.send_all(text);
      EXPECT_TRUE(r) << r.error().message();
      p.a.close();
      co_await reader.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_idle_timeout(300ms);
  const std::string text = pattern(4 << 20);
  run(bodies::all(p, text));
}

TEST_P(engine, a_transfer_that_stops_ends_at_the_idle_timeout) {
  struct bodies {
    static task<> all(stream_pair& p) {
      scope sender;
      sender.spawn(drip(p.b, 3, 5ms));
      std::string text(100, '?');
      auto whole = p.a.recv_all(bytes_of(text));
      const auto r = co_await whole;
      EXPECT_EQ(r ? std::error_code() : r.error(), std::errc::timed_out);
      EXPECT_EQ(whole.moved, 3U);
      co_await sender.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_idle_timeout(300ms);
  const auto begin = now();
  run(bodies::all(p));
  EXPECT_GE(now() - begin, 315ms) << "from the last byte on";
}

TEST_P(engine, an_outbox_that_goes_on_outlives_the_idle_timeout) {
  struct bodies {
    static task<> deliver(outbox& mail, stream& to) {
      const auto r = co_await mail.deliver_to(to);
      EXPECT_TRUE(r) << r.error().message();
    }
    static task<> all(stream_pair& p, const message& m) {
      outbox mail(2);
      scope children;
      children.spawn(deliver(mail, p.a));
      EXPECT_TRUE(mail.try_send(m));
      mail.close();
      std::string part(m.size() / 8, '?');
      for (int i = 0; i < 8; ++i) {
        auto between = iolite::sleep(60ms);
        static_cast<void>(co_await between);
        const auto r = co_await p.b.recv_all(bytes_of(part));
        EXPECT_TRUE(r);
      }
      co_await children.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_idle_timeout(300ms);
  run(bodies::all(p, message(pattern(4 << 20))));
}

TEST_P(engine, a_connection_ends_when_its_time_is_over) {
  struct body {
    static task<> waits(stream& s, iolite::clock::time_point begin) {
      const auto r = co_await (receive_within(s, 1h));
      EXPECT_EQ(r ? std::error_code() : r.error(), std::errc::timed_out);
      EXPECT_GE(now() - begin, 20ms);
      // Not even what would not wait.
      const auto sent = co_await send_text(s, "x");
      EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::timed_out);
    }
  };
  half_pair p = unix_half(on());
  const auto begin = now();
  p.ours.set_connection_timeout(20ms);
  run(body::waits(p.ours, begin));
  p.ours.set_connection_timeout(0ms);
  p.theirs.send_all("x");
  EXPECT_EQ(run(receive(p.ours)).value_or("error"), "x");
}

TEST_P(engine, a_connection_that_never_waits_ends_when_its_time_is_over) {
  struct body {
    static task<> talk(stream_pair& p) {
      std::string text(100, 'x');
      for (;;) {
        const auto sent = co_await send_text(p.a, text);
        if (!sent) {
          EXPECT_EQ(sent.error(), std::errc::timed_out);
          co_return;
        }
        const auto got = co_await receive(p.b);
        EXPECT_TRUE(got);
      }
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_connection_timeout(20ms);
  run(body::talk(p));
}

// --- the minimum rate: ten seconds, so in virtual time only ---

task<std::error_code> receive_on_and_on(stream& from, int answers_after) {
  std::string one(64, '?');
  for (int i = 1;; ++i) {
    const auto r = co_await from.recv(bytes_of(one));
    if (!r) co_return r.error();
    if (*r == 0) co_return std::error_code();
    if (i % answers_after != 0) continue;
    const auto sent = co_await from.send_all("y");
    if (!sent) co_return sent.error();
  }
}

struct trickle {
  static task<> send(stream& to, int pieces, iolite::clock::duration pause, std::size_t bytes) {
    co_await drip(to, pieces, pause, bytes);
    to.close();
  }
  static task<std::error_code> all(stream_pair& p, int pieces, iolite::clock::duration pause,
                                   std::size_t bytes, int answers_after) {
    scope sender;
    sender.spawn(send(p.b, pieces, pause, bytes));
    task<std::error_code> received = receive_on_and_on(p.a, answers_after);
    const std::error_code r = co_await received;
    sender.cancel();
    co_await sender.join();
    co_return r;
  }
};

TEST_P(engine, a_peer_that_trickles_is_given_up) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  stream_pair p = unix_streams(on());
  p.a.set_rate_min(100);
  const auto begin = now();
  EXPECT_EQ(run(trickle::all(p, 1000, 1s, 1, 1000)), std::errc::timed_out);
  EXPECT_GE(now() - begin, 11s);
  EXPECT_LE(now() - begin, 13s);
}

// Its wait has no end before the first byte of the message, and one from then on.
TEST_P(engine, a_peer_that_trickles_into_a_whole_receive_is_given_up) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  struct body {
    static task<> all(stream_pair& p) {
      scope sender;
      sender.spawn(drip(p.b, 30, 1s));
      std::string text(5000, '?');
      auto whole = p.a.recv_all(bytes_of(text));
      const auto r = co_await whole;
      EXPECT_EQ(r ? std::error_code() : r.error(), std::errc::timed_out);
      EXPECT_GE(whole.moved, 10U);
      EXPECT_LE(whole.moved, 11U);
      sender.cancel();
      co_await sender.join();
    }
  };
  for (const auto idle : {0s, 60s}) {
    stream_pair p = unix_streams(on());
    p.a.set_rate_min(100);
    p.a.set_idle_timeout(idle);
    const auto begin = now();
    run(body::all(p));
    EXPECT_GE(now() - begin, 11s);
    EXPECT_LE(now() - begin, 13s);
  }
}

TEST_P(engine, a_peer_that_sends_fast_enough_is_not_given_up) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  stream_pair p = unix_streams(on());
  p.a.set_rate_min(10);
  EXPECT_FALSE(run(trickle::all(p, 100, 1s, 20, 1000)));
}

TEST_P(engine, a_peer_that_is_silent_between_requests_is_not_given_up) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  stream_pair p = unix_streams(on());
  p.a.set_rate_min(100);
  const std::error_code end = run(trickle::all(p, 5, 1min, 1, 1));
  EXPECT_NE(end, std::errc::timed_out);  // the peer closes with answers unread: a reset, maybe
}

TEST_P(engine, an_outbox_without_messages_is_not_too_slow) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  struct bodies {
    static task<> deliver(outbox& mail, stream& to) {
      const auto r = co_await mail.deliver_to(to);
      EXPECT_TRUE(r) << r.error().message();
    }
    static task<> all(stream_pair& p) {
      outbox mail(2);
      scope children;
      children.spawn(deliver(mail, p.a));
      for (int i = 0; i < 5; ++i) {
        auto pause = iolite::sleep(1min);
        static_cast<void>(co_await pause);
        EXPECT_TRUE(mail.try_send(message(i % 2 == 0 ? std::string("x") : pattern(1 << 20))));
        const auto got = co_await receive_exactly(p.b, i % 2 == 0 ? 1U : 1U << 20);
        EXPECT_TRUE(got);
      }
      mail.close();
      co_await children.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_rate_min(100);
  run(bodies::all(p));
}

TEST_P(engine, a_peer_that_hardly_reads_is_given_up) {
  if (!is_simulated()) GTEST_SKIP() << "it takes ten seconds";
  struct bodies {
    static task<> read(stream& from) {
      for (;;) {
        auto between = iolite::sleep(1s);
        const auto slept = co_await between;
        const auto r = co_await receive(from, 1);
        if (!slept || !r) co_return;
      }
    }
    static task<> all(stream_pair& p, std::string_view much) {
      scope reader;
      reader.spawn(read(p.b));
      const auto sent = co_await p.a.send_all(much);
      EXPECT_EQ(sent ? std::error_code() : sent.error(), std::errc::timed_out);
      reader.cancel();
      co_await reader.join();
    }
  };
  stream_pair p = unix_streams(on());
  p.a.set_rate_min(100);
  const std::string much = pattern(8 << 20);
  const auto begin = now();
  run(bodies::all(p, much));
  EXPECT_LE(now() - begin, 25s);
}

// A limit around a transfer is no deadline of the transfer: it idles all the same.
TEST_P(engine, an_idle_timeout_holds_within_the_limit_of_a_task) {
  struct body {
    static task<> all(half_pair& pair, outcome& out) {
      pair.ours.set_idle_timeout(5ms);
      const auto got = co_await (receive(pair.ours, 1) | within(1h));
      out.set(got);
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(body::all(pair, out));
  EXPECT_EQ(out.code, std::errc::timed_out);
}

}  // namespace
}  // namespace iolite_test

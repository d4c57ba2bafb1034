// How a stream ends: politely, half, both sides at once, or by a reset.
#include "support/engine_test.hpp"

#include <csignal>

namespace iolite_test {
namespace {

using namespace iolite;

TEST_P(engine, the_end_of_the_stream_is_zero_bytes_again_and_again) {
  half_pair pair = tcp_half(on());
  pair.theirs.half_close();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "");
}

TEST_P(engine, bytes_before_the_end_are_received_first) {
  half_pair pair = tcp_half(on());
  pair.theirs.send_all("last words");
  pair.theirs.close();
  EXPECT_EQ(run(receive_until_end(pair.ours)).value_or("error"), "last words");
}

TEST_P(engine, after_the_peer_ended_we_can_still_send) {
  const auto check = [this](half_pair pair) {
    pair.theirs.half_close();
    EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "");
    EXPECT_TRUE(run(send_text(pair.ours, "still here")));
    EXPECT_EQ(pair.theirs.recv_exactly(10), "still here");
  };
  check(unix_half(on()));
  check(tcp_half(on()));
}

TEST_P(engine, after_shutdown_write_we_can_still_receive) {
  half_pair pair = tcp_half(on());
  EXPECT_TRUE(run(send_text(pair.ours, "question")));
  EXPECT_TRUE(pair.ours.shutdown_write());
  EXPECT_EQ(pair.theirs.recv_until_end(), "question");
  pair.theirs.send_all("answer");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "answer");
  pair.theirs.close();
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "");
}

// tcp(7): such a connection is none any more. Of unix sockets nothing is said.
TEST_P(engine, shutdown_write_after_both_sides_have_ended_is_not_connected) {
  const auto check = [this](half_pair pair) {
    EXPECT_TRUE(pair.ours.shutdown_write());
    EXPECT_EQ(pair.theirs.recv_until_end(), "");
    pair.theirs.half_close();
    EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "");
    return pair.ours.shutdown_write();
  };
  const auto tcp = check(tcp_half(on()));
  EXPECT_EQ(tcp ? std::error_code() : tcp.error(), std::errc::not_connected);
  EXPECT_TRUE(check(unix_half(on())));
}

TEST_P(engine, both_sides_may_end_at_once) {
  stream_pair pair = tcp_streams(on());
  struct bodies {
    static task<> side(stream s, std::string mine, std::string& got) {
      const auto sent = co_await send_text(s, mine);
      EXPECT_TRUE(sent);
      EXPECT_TRUE(s.shutdown_write());
      const auto all = co_await receive_until_end(s);
      got = all.value_or("error");
    }
    static task<> both(stream_pair p, std::string& at_a, std::string& at_b) {
      scope children;
      children.spawn(side(std::move(p.a), "from a", at_a));
      children.spawn(side(std::move(p.b), "from b", at_b));
      co_await children.join();
    }
  };
  std::string at_a;
  std::string at_b;
  run(bodies::both(std::move(pair), at_a, at_b));
  EXPECT_EQ(at_a, "from b");
  EXPECT_EQ(at_b, "from a");
}

TEST_P(engine, a_pending_receive_sees_the_end_when_it_comes) {
  half_pair pair = tcp_half(on());
  struct bodies {
    static task<> both(stream ours, raw_socket& theirs, outcome& out) {
      scope children;
      children.spawn(receiving(std::move(ours), out));
      co_await let_others_run();
      theirs.half_close();
      co_await children.join();
    }
  };
  outcome out;
  run(bodies::both(std::move(pair.ours), pair.theirs, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_FALSE(out.code) << out.code.message();
  EXPECT_EQ(out.bytes, "");
}

// Linux drops what was received when the reset comes: the bytes or the reset, nothing else.
TEST_P(engine, bytes_then_a_reset_give_the_bytes_or_the_reset) {
  half_pair pair = tcp_half(on());
  pair.theirs.send_all("abc");
  pair.theirs.reset();
  const auto first = run(receive(pair.ours));
  if (first) {
    EXPECT_EQ(*first, "abc");
  } else {
    EXPECT_EQ(first.error(), std::errc::connection_reset);
  }
}

TEST_P(engine, bytes_received_before_a_reset_stay_and_then_it_is_reported) {
  half_pair pair = tcp_half(on());
  pair.theirs.send_all("abc");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "abc");
  pair.theirs.reset();
  const auto next = run(receive(pair.ours));
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error(), std::errc::connection_reset);
}

TEST_P(engine, a_reset_ends_a_pending_receive) {
  half_pair pair = tcp_half(on());
  struct bodies {
    static task<> both(stream ours, raw_socket& theirs, outcome& out) {
      scope children;
      children.spawn(receiving(std::move(ours), out));
      co_await let_others_run();
      theirs.reset();
      co_await children.join();
    }
  };
  outcome out;
  run(bodies::both(std::move(pair.ours), pair.theirs, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::connection_reset);
}

TEST_P(engine, a_reset_ends_a_pending_send) {
  half_pair pair = tcp_half(on());
  struct bodies {
    static task<> both(stream ours, raw_socket& theirs, std::string_view big, outcome& out) {
      scope children;
      children.spawn(sending(std::move(ours), big, out));
      co_await let_others_run();
      theirs.reset();
      co_await children.join();
    }
  };
  const std::string big = pattern(32 << 20);
  outcome out;
  run(bodies::both(std::move(pair.ours), pair.theirs, big, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_TRUE(is_gone(out.code)) << out.code.message();
}

// The kernel tells a reset once. Had a send met it, a receive would see the end of a whole stream.
TEST_P(engine, a_receive_after_a_send_that_met_a_reset_tells_it_too) {
  struct bodies {
    static task<std::error_code> send_until_error(stream& to) {
      for (;;) {
        const auto sent = co_await to.send_all("x");
        if (!sent) co_return sent.error();
      }
    }
    static std::error_code error_of(const result<std::string>& r) {
      return r ? std::error_code() : r.error();
    }
    static task<std::error_code> receive_lease(stream& from) {
      const auto got = co_await from.recv_lease();
      co_return got ? std::error_code() : got.error();
    }
  };
  for (int how = 0; how < 3; ++how) {
    half_pair pair = tcp_half(on());
    pair.theirs.reset();
    EXPECT_EQ(run(bodies::send_until_error(pair.ours)), std::errc::connection_reset);
    stream ours = std::move(pair.ours);  // it is the connection that was cut
    std::error_code told;
    if (how == 0) told = bodies::error_of(run(receive(ours)));
    else if (how == 1) told = bodies::error_of(run(receive_exactly(ours, 3)));
    else told = run(bodies::receive_lease(ours));
    EXPECT_EQ(told, std::errc::connection_reset) << how;
    EXPECT_EQ(run(receive(ours)).value_or("error"), "");
  }
}

TEST_P(engine, a_close_ends_a_pending_send_over_unix) {
  half_pair pair = unix_half(on());
  struct bodies {
    static task<> both(stream ours, raw_socket& theirs, std::string_view big, outcome& out) {
      scope children;
      children.spawn(sending(std::move(ours), big, out));
      co_await let_others_run();
      theirs.close();
      co_await children.join();
    }
  };
  const std::string big = pattern(8 << 20);
  outcome out;
  run(bodies::both(std::move(pair.ours), pair.theirs, big, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_TRUE(is_gone(out.code)) << out.code.message();
}

// SIGPIPE would end this process: its disposition is the default one here.
TEST_P(engine, sending_to_a_closed_peer_is_an_error_and_no_signal) {
  std::signal(SIGPIPE, SIG_DFL);
  half_pair unix_one = unix_half(on());
  unix_one.theirs.close();
  const auto r = run(send_text(unix_one.ours, "anyone?"));
  ASSERT_FALSE(r);
  EXPECT_TRUE(is_gone(r.error())) << r.error().message();

  half_pair tcp_one = tcp_half(on());
  tcp_one.theirs.close();
  std::error_code code;
  for (int i = 0; i < 1000 && !code; ++i) {  // the first ones may be on their way
    const auto sent = run(send_text(tcp_one.ours, pattern(10'000)));
    if (!sent) code = sent.error();
  }
  EXPECT_TRUE(is_gone(code)) << code.message();
}

TEST_P(engine, sending_after_shutdown_write_is_a_broken_pipe) {
  std::signal(SIGPIPE, SIG_DFL);
  half_pair pair = tcp_half(on());
  EXPECT_TRUE(pair.ours.shutdown_write());
  const auto r = run(send_text(pair.ours, "too late"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), std::errc::broken_pipe);
}

TEST_P(engine, close_is_idempotent_and_the_peer_sees_it) {
  half_pair pair = unix_half(on());
  EXPECT_TRUE(pair.ours.is_open());
  pair.ours.close();
  pair.ours.close();
  EXPECT_FALSE(pair.ours.is_open());
  EXPECT_EQ(pair.theirs.recv_until_end(), "");
}

// A plain close() with unread input resets, and the reset overtakes what was sent.
TEST_P(engine, finish_delivers_the_last_answer_although_input_is_unread) {
  half_pair pair = tcp_half(on());
  const std::string answer = pattern(100'000);
  struct bodies {
    static task<> body(stream s, std::string_view text) {
      const auto sent = co_await send_text(s, text);
      EXPECT_TRUE(sent);
      co_await s.finish(10s);
      EXPECT_FALSE(s.is_open());
    }
  };
  std::string received;
  int error = 0;
  other_thread client([&] {
    pair.theirs.send_all(pattern(50'000));
    received = pair.theirs.recv_until_gone(error);
    pair.theirs.send_all("more that nobody reads");
    pair.theirs.close();
  });
  run(bodies::body(std::move(pair.ours), answer));
  client.join();
  EXPECT_EQ(error, 0);
  EXPECT_TRUE(received == answer);
}

TEST_P(engine, finish_gives_up_on_a_peer_that_never_ends) {
  half_pair pair = tcp_half(on());
  struct bodies {
    static task<> body(stream s) {
      co_await s.finish(20ms);
      EXPECT_FALSE(s.is_open());
    }
  };
  const auto begin = now();
  run(bodies::body(std::move(pair.ours)));
  EXPECT_GE(now() - begin, 20ms);
}

TEST_P(engine, finish_gives_up_on_a_peer_that_sends_on_and_on) {
  half_pair pair = tcp_half(on());
  struct bodies {
    static task<> body(stream s) {
      co_await s.finish(1ms);
      EXPECT_FALSE(s.is_open());
    }
  };
  bool all_was_taken = true;
  other_thread flood([&] {
    const std::string much = pattern(1 << 20);
    for (int i = 0; i < (is_simulated() ? 32 : 512) && all_was_taken; ++i) {
      all_was_taken = pair.theirs.send_all(much);
    }
    pair.theirs.close();
  });
  run(bodies::body(std::move(pair.ours)));
  flood.join();
  EXPECT_FALSE(all_was_taken);
}

}  // namespace
}  // namespace iolite_test

// relay(): bytes, half-close, errors and limits of a session between two connections.
#include "support/engine_test.hpp"
#include "support/scripted_stream.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

const std::error_code reset = std::make_error_code(std::errc::connection_reset);

template <class First, class Second>
task<> relaying(First& first, Second& second, relay_limits limits, relayed& out) {
  out = co_await relay(first, second, limits);
}

TEST_P(engine, a_relay_carries_all_bytes_both_ways) {
  half_pair client = tcp_half(on());
  half_pair server = unix_half(on());
  const std::string question = pattern(300'000, 1);
  const std::string answer = pattern(700'000, 2);
  std::string asked;
  std::string answered;
  other_thread asks([&] { EXPECT_TRUE(client.theirs.send_all(question)); });
  other_thread answers([&] {
    asked = server.theirs.recv_exactly(question.size());
    EXPECT_TRUE(server.theirs.send_all(answer));
    server.theirs.close();
  });
  other_thread reads([&] {
    answered = client.theirs.recv_until_end();
    client.theirs.close();
  });
  relayed out;
  run(relaying(client.ours, server.ours, {}, out));
  asks.join();
  answers.join();
  reads.join();
  EXPECT_FALSE(out.error) << out.error.message();
  EXPECT_EQ(out.to_second, question.size());
  EXPECT_EQ(out.to_first, answer.size());
  EXPECT_TRUE(asked == question);
  EXPECT_TRUE(answered == answer);
}

// The client ends its side first, as many do: what the server says then still arrives.
TEST_P(engine, a_relay_passes_the_end_of_one_side_on_and_lets_the_other_go_on) {
  half_pair client = tcp_half(on());
  half_pair server = tcp_half(on());
  std::string sorted;
  other_thread sorts([&] {
    const std::string all = server.theirs.recv_until_end();
    EXPECT_TRUE(server.theirs.send_all("sorted: " + all));
    server.theirs.close();
  });
  other_thread asks([&] {
    EXPECT_TRUE(client.theirs.send_all("b a"));
    client.theirs.half_close();
    sorted = client.theirs.recv_until_end();
  });
  relayed out;
  run(relaying(client.ours, server.ours, {}, out));
  sorts.join();
  asks.join();
  EXPECT_FALSE(out.error) << out.error.message();
  EXPECT_EQ(sorted, "sorted: b a");
}

TEST_P(engine, a_relay_ends_when_one_side_is_reset) {
  half_pair client = tcp_half(on());
  half_pair server = tcp_half(on());
  other_thread resets([&] {
    EXPECT_TRUE(server.theirs.send_all("half of"));
    EXPECT_EQ(client.theirs.recv_exactly(7), "half of");
    server.theirs.reset();
  });
  relayed out;
  run(relaying(client.ours, server.ours, {}, out));
  resets.join();
  EXPECT_TRUE(is_gone(out.error)) << out.error.message();
  EXPECT_EQ(out.to_first, 7U);
  client.ours.close();
  EXPECT_EQ(client.theirs.recv_until_end(), "");
}

TEST_P(engine, a_relay_ends_when_no_byte_moves_either_way) {
  half_pair client = tcp_half(on());
  half_pair server = tcp_half(on());
  relayed out;
  run(relaying(client.ours, server.ours, {.idle = 5ms}, out));
  EXPECT_EQ(out.error, std::errc::timed_out);
}

// One side takes nothing, and is no less idle for that.
TEST_P(engine, a_relay_to_a_peer_that_does_not_read_is_idle) {
  half_pair client = unix_half(on());
  half_pair server = unix_half(on());
  other_thread floods([&] {
    while (client.theirs.send_all(pattern(65'536))) {
    }
  });
  relayed out;
  run(relaying(client.ours, server.ours, {.idle = 50ms}, out));
  EXPECT_EQ(out.error, std::errc::timed_out);
  client.ours.close();
  floods.join();
}

TEST_P(engine, a_relay_is_not_idle_while_one_direction_moves) {
  if (!is_simulated()) GTEST_SKIP() << "how fast a loaded machine is must not decide";
  struct body {
    static task<> dribble(stream to) {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(co_await sleep(5ms));
        EXPECT_TRUE(co_await to.send_all("x"));
      }
    }
    static task<> all(stream_pair client, stream_pair server, relayed& out) {
      scope children;
      children.spawn(dribble(std::move(client.b)));
      out = co_await relay(client.a, server.a, {.idle = 20ms});
      co_await children.join();
    }
  };
  relayed out;
  const auto begun = now();
  run(body::all(tcp_streams(on()), tcp_streams(on()), out));
  EXPECT_EQ(out.error, std::errc::timed_out) << "in the end";
  EXPECT_EQ(out.to_second, 50U);
  EXPECT_GE(now() - begun, 250ms + 20ms);
}

TEST_P(engine, a_relay_lasts_no_longer_than_its_session_may) {
  half_pair client = unix_half(on());
  half_pair server = unix_half(on());
  other_thread floods([&] {
    while (client.theirs.send_all("more and more")) {
    }
  });
  other_thread reads([&] { static_cast<void>(server.theirs.recv_until_end()); });
  relayed out;
  run(relaying(client.ours, server.ours, {.session = 20ms}, out));
  EXPECT_EQ(out.error, std::errc::timed_out);
  client.ours.close();
  server.ours.close();
  floods.join();
  reads.join();
}

TEST_P(engine, a_relay_of_which_one_side_has_ended_may_have_a_limit_of_its_own) {
  half_pair client = tcp_half(on());
  half_pair server = tcp_half(on());
  EXPECT_TRUE(client.theirs.send_all("bye"));
  client.theirs.half_close();
  relayed out;
  run(relaying(client.ours, server.ours, {.half_closed = 5ms}, out));
  EXPECT_EQ(out.error, std::errc::timed_out);
  EXPECT_EQ(out.to_second, 3U);
  EXPECT_EQ(server.theirs.recv_until_end(), "bye");
}

TEST_P(engine, a_relay_that_is_cancelled_ends) {
  struct body {
    static task<> all(stream& first, stream& second, relayed& out) {
      scope children;
      children.spawn(relaying(first, second, {}, out));
      co_await let_others_run();
      children.cancel();
      co_await children.join();
    }
  };
  half_pair client = tcp_half(on());
  half_pair server = tcp_half(on());
  relayed out;
  run(body::all(client.ours, server.ours, out));
  EXPECT_EQ(out.error, std::errc::operation_canceled);
}

TEST_P(engine, a_relay_between_scripts_meets_any_split_and_any_error) {
  const std::string text = "hello, world";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    scripted_stream first;
    scripted_stream second;
    first.receives_in_pieces(text, size).pauses();
    second.receives_in_pieces(text, text.size() + 1 - size);
    relayed out;
    run(relaying(first, second, {}, out));
    EXPECT_FALSE(out.error);
    EXPECT_EQ(first.sent(), text);
    EXPECT_EQ(second.sent(), text);
    EXPECT_TRUE(first.is_shut() && second.is_shut());
    EXPECT_TRUE(first.is_open() && second.is_open()) << "that is the caller's";
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const bool receiving : {false, true}) {
      scripted_stream first;
      scripted_stream second;
      first.receives_in_pieces(text, 1).then_is_silent();
      if (receiving) second.receives(text.substr(0, at)).then_fails(reset);
      else second.then_is_silent().takes(at, reset);
      relayed out;
      run(relaying(first, second, {}, out));
      EXPECT_EQ(out.error, reset);
      if (receiving) {
        EXPECT_EQ(first.sent(), text.substr(0, at));
      } else {
        EXPECT_EQ(out.to_second, at);
      }
    }
  }
}

}  // namespace
}  // namespace iolite_test

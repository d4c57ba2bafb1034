// Cancelling one operation by hand: its cancel(), and what must not be hit by it.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// Where each task has a thread, only the task itself could call cancel(), and it waits.
#define ONE_THREAD_ONLY()                                                                          \
  if (traits().blocking) GTEST_SKIP() << "cancel() is for the engine's thread, which waits here"

TEST_P(engine, cancel_of_an_operation_before_it_starts_is_latched) {
  struct body {
    static task<std::error_code> check(stream& from) {
      std::string into(10, '\0');
      auto op = from.recv(bytes_of(into));
      op.cancel();
      const auto r = co_await op;
      co_return r ? std::error_code() : r.error();
    }
  };
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(body::check(pair.ours)), std::errc::operation_canceled);
  pair.theirs.send_all("next");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "next") << "the stream is still good";
}

TEST_P(engine, cancel_of_a_completed_operation_is_harmless) {
  struct body {
    static task<std::string> check(stream& from) {
      std::string into(3, '\0');
      auto op = from.recv(bytes_of(into));
      const auto n = co_await op;
      EXPECT_EQ(n.value_or(0), 3U);
      op.cancel();
      op.cancel();
      co_return into;
    }
  };
  half_pair pair = unix_half(on());
  pair.theirs.send_all("abc");
  EXPECT_EQ(run(body::check(pair.ours)), "abc");
  pair.theirs.send_all("next");
  EXPECT_EQ(run(receive(pair.ours)).value_or("error"), "next");
}

// A receive that publishes its operation while it waits.
task<result<std::string>> receive_published(stream& from, recv_operation*& published) {
  std::string into(1, '\0');
  auto op = from.recv(bytes_of(into));
  published = &op;
  const auto n = co_await op;
  published = nullptr;
  if (!n) co_return std::unexpected(n.error());
  into.resize(*n);
  co_return into;
}

TEST_P(engine, cancel_of_one_operation_leaves_the_task_alone) {
  ONE_THREAD_ONLY();
  struct bodies {
    static task<> child(stream& from, recv_operation*& op, outcome& first, outcome& second) {
      const auto one = co_await receive_published(from, op);
      first.set(one);
      const auto two = co_await receive_published(from, op);
      second.set(two);
    }
    static task<> all(half_pair& pair, outcome& first, outcome& second) {
      recv_operation* op = nullptr;
      scope s;
      s.spawn(child(pair.ours, op, first, second));
      co_await let_others_run();
      EXPECT_NE(op, nullptr);
      op->cancel();
      op->cancel();
      co_await let_others_run();
      EXPECT_EQ(first.times, 1);
      pair.theirs.send_all("b");
      co_await s.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome first;
  outcome second;
  run(bodies::all(pair, first, second));
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(first.code, std::errc::operation_canceled);
  EXPECT_EQ(second.times, 1);
  EXPECT_EQ(second.bytes, "b");
}

// The cancel races with the bytes: either wins, nothing is lost, and the next receive, whose
// operation lives at the same address, is not hit by it.
TEST_P(engine, a_late_cancel_does_not_hit_the_next_operation_at_the_same_address) {
  ONE_THREAD_ONLY();
  constexpr int rounds = 2000;
  struct state {
    recv_operation* op = nullptr;
    std::string received;
    int cancels_seen = 0;
    int wrong_cancels = 0;
  };
  struct bodies {
    static task<> reader(stream& from, channel<int>& turns, state& s) {
      for (int i = 0; i < rounds; ++i) {
        auto r = co_await receive_published(from, s.op);
        if (!r) {
          ++s.cancels_seen;
          EXPECT_EQ(r.error(), std::errc::operation_canceled);
        }
        while (!r) {
          r = co_await receive_published(from, s.op);
          if (!r) ++s.wrong_cancels;
          if (s.wrong_cancels > 10) co_return;
        }
        s.received += *r;
        const auto told = co_await turns.send(i);
        EXPECT_TRUE(told);
      }
    }
    static task<> all(half_pair& pair, state& s) {
      channel<int> turns(1);
      scope children;
      children.spawn(reader(pair.ours, turns, s));
      for (int i = 0; i < rounds; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        if (i % 3 == 0) pair.theirs.send_all({&byte, 1});
        if (s.op) s.op->cancel();
        if (i % 3 == 1) pair.theirs.send_all({&byte, 1});
        if (i % 3 == 2) {
          co_await iolite::sleep(0ms);
          pair.theirs.send_all({&byte, 1});
        }
        const auto turn = co_await turns.receive();
        EXPECT_EQ(turn.value_or(-1), i);
      }
      co_await children.join();
    }
  };
  half_pair pair = unix_half(on());
  state s;
  run(bodies::all(pair, s));
  EXPECT_EQ(s.wrong_cancels, 0);
  std::string expected;
  for (int i = 0; i < rounds; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(s.received, expected);
}

TEST_P(engine, bytes_that_race_with_a_cancel_are_never_lost) {
  constexpr int rounds = 300;
  struct bodies {
    static task<> child(stream& from, outcome& out) {
      const auto r = co_await receive(from, 1);
      out.set(r);
    }
    static task<> all(half_pair& pair, std::string& received) {
      for (int i = 0; i < rounds; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        outcome out;
        scope s;
        s.spawn(child(pair.ours, out));
        if (i % 2 == 0) pair.theirs.send_all({&byte, 1});
        s.cancel();
        if (i % 2 == 1) pair.theirs.send_all({&byte, 1});
        co_await s.join();
        EXPECT_EQ(out.times, 1);
        if (out.code) {
          EXPECT_EQ(out.code, std::errc::operation_canceled);
          const auto next = co_await receive(pair.ours, 1);
          received += next.value_or("!");
        } else {
          received += out.bytes;
        }
      }
    }
  };
  half_pair pair = unix_half(on());
  std::string received;
  run(bodies::all(pair, received));
  std::string expected;
  for (int i = 0; i < rounds; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(received, expected);
}

TEST_P(engine, a_send_that_is_cancelled_has_sent_a_prefix) {
  struct bodies {
    static task<> child(stream to, std::string_view all, outcome& out) {
      const auto r = co_await to.send_all(all);
      out.set(r);
    }
    static task<> all(half_pair& pair, std::string_view text, outcome& out) {
      scope s;
      s.spawn(child(std::move(pair.ours), text, out));
      co_await let_others_run();
      s.cancel();
      co_await s.join();
    }
  };
  half_pair pair = unix_half(on());
  const std::string text = pattern(8 << 20);
  outcome out;
  run(bodies::all(pair, text, out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  const std::string got = pair.theirs.recv_until_end();
  EXPECT_LT(got.size(), text.size());
  EXPECT_TRUE(text.starts_with(got));
}

TEST_P(engine, closing_a_stream_ends_its_pending_receive) {
  ONE_THREAD_ONLY();
  struct bodies {
    static task<> child(stream& from, outcome& out) {
      const auto r = co_await receive(from);
      out.set(r);
    }
    static task<> all(half_pair& pair, outcome& out) {
      scope s;
      s.spawn(child(pair.ours, out));
      co_await let_others_run();
      pair.ours.close();
      co_await s.join();
    }
  };
  half_pair pair = unix_half(on());
  outcome out;
  run(bodies::all(pair, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
  EXPECT_EQ(pair.theirs.recv_until_end(), "") << "the peer sees the end";
}

}  // namespace
}  // namespace iolite_test

// Channels: order, back-pressure, and no value lost, also between threads.
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

task<> produce(channel<int>& to, int count) {
  for (int i = 0; i < count; ++i) {
    const auto r = co_await to.send(i);
    if (!r) co_return;
  }
  to.close();
}
task<> consume(channel<int>& from, std::vector<int>& out) {
  for (;;) {
    const auto v = co_await from.receive();
    if (!v) {
      EXPECT_EQ(v.error(), make_error_code(errc::closed));
      co_return;
    }
    out.push_back(*v);
  }
}

void expect_in_order(const std::vector<int>& values, int count) {
  ASSERT_EQ(values.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], i);
}

TEST_P(engine, a_channel_keeps_the_order) {
  struct bodies {
    static task<> all(std::size_t capacity, std::vector<int>& out) {
      channel<int> c(capacity);
      scope s;
      s.spawn(produce(c, 1000));
      s.spawn(consume(c, out));
      co_await s.join();
    }
  };
  for (const std::size_t capacity : {1U, 2U, 7U, 5000U}) {
    std::vector<int> out;
    run(bodies::all(capacity, out));
    expect_in_order(out, 1000);
  }
}

// The end is asked for between two who wait for the same.
TEST_P(engine, a_cancel_that_comes_as_a_task_begins_to_wait_ends_both_who_wait) {
  struct bodies {
    static task<> wait(channel<int>& c, std::atomic<int>& ended) {
      const auto r = co_await c.receive();
      EXPECT_FALSE(r);
      ++ended;
    }
    static task<> ask_and_wait(channel<int>& c, std::atomic<int>& ended) {
      const context here_now = co_await here{};
      here_now.on->request_cancel();
      const auto r = co_await c.receive();
      EXPECT_FALSE(r);
      ++ended;
      c.close();  // where the other one has an engine of its own, which nobody has asked
    }
    static task<> all(std::atomic<int>& ended) {
      channel<int> c(1);
      scope s;
      s.spawn(wait(c, ended));
      s.spawn(ask_and_wait(c, ended));
      co_await s.join();
    }
  };
  std::atomic<int> ended = 0;
  run(bodies::all(ended));
  EXPECT_EQ(ended, 2);
}

TEST_P(engine, a_full_channel_makes_the_sender_wait) {
  struct bodies {
    static task<> send_five(channel<int>& c, std::atomic<int>& sent) {
      for (int i = 0; i < 5; ++i) {
        const auto r = co_await c.send(i);
        EXPECT_TRUE(r);
        ++sent;
      }
    }
    static task<> all() {
      channel<int> c(2);
      std::atomic<int> sent = 0;
      scope s;
      s.spawn(send_five(c, sent));
      co_await let_others_run();
      EXPECT_LE(sent, 2);
      EXPECT_LE(c.size(), 2U);
      EXPECT_TRUE(c.size() < 2 || c.try_send(99) == offered::full);
      for (int i = 0; i < 5; ++i) {
        const auto v = co_await c.receive();
        EXPECT_EQ(v.value_or(-1), i);
      }
      co_await s.join();
      EXPECT_EQ(sent, 5);
    }
  };
  run(bodies::all());
}

TEST_P(engine, a_channel_carries_values_between_threads) {
  channel<int> there(4);
  channel<int> back(4);
  struct bodies {
    static task<> pong(channel<int>& from, channel<int>& to) {
      for (;;) {
        const auto v = co_await from.receive();
        if (!v) break;
        const auto r = co_await to.send(*v);
        EXPECT_TRUE(r);
      }
      to.close();
    }
    static task<> ping(channel<int>& to, channel<int>& from) {
      for (int i = 0; i < 2000; ++i) {
        const auto r = co_await to.send(i);
        EXPECT_TRUE(r);
        const auto v = co_await from.receive();
        EXPECT_EQ(v.value_or(-1), i);
      }
      to.close();
    }
  };
  other_thread other([&] {
    const auto e = another();
    e->run(bodies::pong(there, back));
  });
  run(bodies::ping(there, back));
  other.join();
}

TEST_P(engine, a_channel_between_threads_streams_in_order) {
  channel<int> c(16);
  other_thread other([&] {
    const auto e = another();
    e->run(produce(c, 20'000));
  });
  std::vector<int> out;
  run(consume(c, out));
  other.join();
  expect_in_order(out, 20'000);
}

TEST_P(engine, what_is_in_a_closed_channel_is_still_received) {
  struct body {
    static task<> check() {
      channel<std::string> c(4);
      EXPECT_TRUE(c.try_send("a"));
      EXPECT_TRUE(c.try_send("b"));
      c.close();
      EXPECT_EQ(c.try_send("c"), offered::closed);
      const auto refused = co_await c.send("c");
      EXPECT_FALSE(refused);
      EXPECT_EQ(refused.error(), make_error_code(errc::closed));
      const auto a = co_await c.receive();
      EXPECT_EQ(a.value_or("error"), "a");
      const auto b = co_await c.receive();
      EXPECT_EQ(b.value_or("error"), "b");
      const auto end = co_await c.receive();
      EXPECT_FALSE(end);
      EXPECT_EQ(end.error(), make_error_code(errc::closed));
    }
  };
  run(body::check());
}

TEST_P(engine, closing_a_channel_wakes_those_who_wait) {
  struct bodies {
    static task<> receiver(channel<int>& c, outcome& out) {
      const auto v = co_await c.receive();
      out.set(v);
    }
    static task<> sender(channel<int>& c, outcome& out) {
      const auto v = co_await c.send(1);
      out.set(v);
    }
    static task<> all(outcome& r1, outcome& r2, outcome& s1) {
      channel<int> empty(1);
      channel<int> full(1);
      full.try_send(0);
      scope s;
      s.spawn(receiver(empty, r1));
      s.spawn(receiver(empty, r2));
      s.spawn(sender(full, s1));
      co_await let_others_run();
      empty.close();
      full.close();
      co_await s.join();
    }
  };
  outcome r1;
  outcome r2;
  outcome s1;
  run(bodies::all(r1, r2, s1));
  for (const outcome& o : {r1, r2, s1}) {
    EXPECT_EQ(o.times, 1);
    EXPECT_EQ(o.code, make_error_code(errc::closed));
  }
}

// Cancelled sends have not sent, cancelled receives have taken nothing: the sums agree.
TEST_P(engine, cancelled_sends_and_receives_lose_nothing) {
  struct bodies {
    static task<> sender(channel<int>& c, std::vector<int>& sent, int value) {
      const auto r = co_await c.send(value);
      if (r) sent.push_back(value);
    }
    static task<> receiver(channel<int>& c, std::vector<int>& received) {
      const auto v = co_await c.receive();
      if (v) received.push_back(*v);
    }
    static task<> round(channel<int>& c, int i, std::vector<int>& sent,
                        std::vector<int>& received) {
      std::vector<int> sent_now[2];
      std::vector<int> received_now[2];
      scope senders;
      scope receivers;
      senders.spawn(sender(c, sent_now[0], i));
      receivers.spawn(receiver(c, received_now[0]));
      senders.spawn(sender(c, sent_now[1], 100'000 + i));
      if (i % 3 == 0) senders.cancel();
      if (i % 3 == 1) receivers.cancel();
      receivers.spawn(receiver(c, received_now[1]));
      if (i % 5 == 0) co_await iolite::sleep(0ms);
      senders.cancel();
      receivers.cancel();
      co_await senders.join();
      co_await receivers.join();
      for (const auto& v : sent_now) sent.insert(sent.end(), v.begin(), v.end());
      for (const auto& v : received_now) received.insert(received.end(), v.begin(), v.end());
    }
    static task<> all(std::vector<int>& sent, std::vector<int>& received) {
      channel<int> c(1);
      for (int i = 0; i < 200; ++i) co_await round(c, i, sent, received);
      while (const auto v = c.try_receive()) received.push_back(*v);
    }
  };
  std::vector<int> sent;
  std::vector<int> received;
  run(bodies::all(sent, received));
  std::sort(sent.begin(), sent.end());
  std::sort(received.begin(), received.end());
  EXPECT_EQ(sent, received);
}

TEST_P(engine, many_senders_and_many_receivers_share_a_channel) {
  struct bodies {
    static task<> sender(channel<int>& c, int first) {
      for (int i = 0; i < 100; ++i) {
        const auto r = co_await c.send(first + i);
        EXPECT_TRUE(r);
      }
    }
    static task<> receiver(channel<int>& c, std::vector<int>& out) {
      for (;;) {
        const auto v = co_await c.receive();
        if (!v) co_return;
        out.push_back(*v);
      }
    }
    static task<> all(std::vector<std::vector<int>>& out) {
      channel<int> c(3);
      scope senders;
      scope receivers;
      for (std::vector<int>& o : out) receivers.spawn(receiver(c, o));
      for (int i = 0; i < 5; ++i) senders.spawn(sender(c, i * 100));
      co_await senders.join();
      c.close();
      co_await receivers.join();
    }
  };
  std::vector<std::vector<int>> out(4);
  run(bodies::all(out));
  std::vector<int> merged;
  for (const auto& o : out) merged.insert(merged.end(), o.begin(), o.end());
  std::sort(merged.begin(), merged.end());
  expect_in_order(merged, 500);
}

TEST_P(engine, a_channel_carries_what_can_only_be_moved) {
  struct body {
    static task<int> check() {
      channel<std::unique_ptr<int>> c(1);
      auto value = std::make_unique<int>(42);
      const auto sent = co_await c.send(std::move(value));
      EXPECT_TRUE(sent);
      auto got = co_await c.receive();
      co_return got ? **got : -1;
    }
  };
  EXPECT_EQ(run(body::check()), 42);
}

// Can be moved that often, then throws.
struct brittle {
  explicit brittle(int moves) : left(moves) {}
  brittle(brittle&& other) : left(other.left - 1) {
    if (other.left == 0) throw std::runtime_error("it breaks");
  }
  brittle& operator=(brittle&&) = delete;
  int left;
};

TEST_P(engine, a_value_that_throws_when_it_is_moved_leaves_the_room_to_the_next_sender) {
  struct bodies {
    // One that breaks is moved into the call, and not from there into the channel.
    static task<> send(channel<brittle>& to, int moves, std::atomic<int>& broken) {
      try {
        static_cast<void>(co_await to.send(brittle(moves)));
      } catch (const std::runtime_error&) {
        ++broken;
      }
    }
    static task<> all(std::atomic<int>& broken) {
      channel<brittle> c(1);
      EXPECT_EQ(c.try_send(brittle(100)), offered::taken);
      co_await in_scope([&](iolite::scope& senders) -> task<> {
        senders.spawn(send(c, 1, broken));
        senders.spawn(send(c, 100, broken));
        co_await let_others_run();
        for (int i = 0; i < 2; ++i) {
          const auto value = co_await (c.receive() | within(10s));
          EXPECT_TRUE(value) << value.error().message();
        }
      });
    }
  };
  std::atomic<int> broken = 0;
  run(bodies::all(broken));
  EXPECT_EQ(broken, 1);
}

}  // namespace
}  // namespace iolite_test

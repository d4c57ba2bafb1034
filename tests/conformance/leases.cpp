// Buffers the engine lends: as late as it can, never lost, and back-pressure when there are none.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

#include <linux/io_uring.h>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr std::size_t little = buffer_pool::bytes_min;
constexpr std::size_t buffers = little / buffer_pool::buffer_bytes;

std::string text_of(const lease& l) {
  return {reinterpret_cast<const char*>(l.bytes().data()), l.bytes().size()};
}

task<std::string> leased(stream& from) {
  const auto got = co_await from.recv_lease();
  co_return got ? text_of(*got) : got.error().message();
}

TEST_P(engine, a_lease_holds_what_was_received) {
  half_pair pair = unix_half(on());
  pair.theirs.send_all("hello");
  EXPECT_EQ(run(leased(pair.ours)), "hello");
}

TEST_P(engine, an_empty_lease_is_the_end_of_the_stream) {
  half_pair pair = tcp_half(on());
  pair.theirs.send_all("last");
  pair.theirs.half_close();
  EXPECT_EQ(run(leased(pair.ours)), "last");
  EXPECT_EQ(run(leased(pair.ours)), "");
  EXPECT_EQ(run(leased(pair.ours)), "");
}

TEST_P(engine, a_lease_is_at_most_one_buffer) {
  half_pair pair = unix_half(on());
  const std::string all = pattern(100'000);
  other_thread writer([&] {
    pair.theirs.send_all(all);
    pair.theirs.half_close();
  });
  std::string got;
  for (;;) {
    const std::string part = run(leased(pair.ours));
    EXPECT_LE(part.size(), buffer_pool::buffer_bytes);
    if (part.empty()) break;
    got += part;
  }
  writer.join();
  EXPECT_TRUE(got == all);
}

TEST_P(engine, a_lease_lives_on_through_later_receives) {
  struct body {
    static task<> check(half_pair& pair) {
      std::vector<lease> kept;
      for (int i = 0; i < 20; ++i) {
        pair.theirs.send_all("message " + std::to_string(i));
        auto got = co_await pair.ours.recv_lease();
        EXPECT_TRUE(got);
        if (!got) co_return;
        kept.push_back(std::move(*got));
      }
      for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(text_of(kept[static_cast<std::size_t>(i)]), "message " + std::to_string(i));
      }
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, leases_and_plain_receives_take_turns_on_one_stream) {
  struct body {
    static task<> check(half_pair& pair) {
      for (int i = 0; i < 50; ++i) {
        pair.theirs.send_all("abc");
        if (i % 2) {
          const std::string got = co_await leased(pair.ours);
          EXPECT_EQ(got, "abc");
        } else {
          const auto got = co_await receive_exactly(pair.ours, 3);
          EXPECT_EQ(got.value_or("error"), "abc");
        }
      }
    }
  };
  half_pair pair = tcp_half(on());
  run(body::check(pair));
}

// What comes between two leased receives, or after one was given up, is for whoever receives next.
TEST_P(engine, bytes_that_come_while_nobody_receives_are_kept_for_a_plain_receive) {
  struct body {
    static task<> check(half_pair& pair) {
      pair.theirs.send_all("1");
      const std::string one = co_await leased(pair.ours);
      EXPECT_EQ(one, "1");
      pair.theirs.send_all("2");
      co_await iolite::sleep(1ms);
      pair.theirs.send_all("3");
      co_await iolite::sleep(1ms);
      const auto rest = co_await receive_exactly(pair.ours, 2);
      EXPECT_EQ(rest.value_or("error"), "23");
    }
  };
  half_pair pair = tcp_half(on());
  run(body::check(pair));
}

TEST_P(engine, a_leased_receive_that_times_out_leaves_the_stream_good) {
  struct body {
    static task<> check(half_pair& pair) {
      const auto none = co_await (pair.ours.recv_lease() | within{2ms});
      EXPECT_FALSE(none);
      if (!none) {
        EXPECT_EQ(none.error(), std::errc::timed_out);
      }
      pair.theirs.send_all("next");
      const std::string got = co_await leased(pair.ours);
      EXPECT_EQ(got, "next");
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, a_connection_that_waits_holds_no_buffer) {
  if (traits().blocking)
    GTEST_SKIP() << "three hundred tasks are as many threads, each with a pool";
  constexpr std::size_t count = 300;
  struct bodies {
    static task<> one(stream& s, int& ended) {
      const std::string got = co_await leased(s);
      EXPECT_EQ(got, "x");
      ++ended;
    }
    static task<> all(std::vector<half_pair>& pairs, int& ended) {
      scope s;
      for (half_pair& p : pairs) s.spawn(one(p.ours, ended));
      co_await let_others_run();
      for (half_pair& p : pairs) p.theirs.send_all("x");
      co_await s.join();
    }
  };
  on().limit_leases(little);
  std::vector<half_pair> pairs;
  for (std::size_t i = 0; i < count; ++i) pairs.push_back(unix_half(on()));
  int ended = 0;
  run(bodies::all(pairs, ended));
  EXPECT_EQ(ended, static_cast<int>(count));
}

// Takes leases until none is to be had; a receive that finds no buffer waits, it does not fail.
task<> take_all(half_pair& pair, std::vector<lease>& kept) {
  std::string next = pattern(16'384);  // so much waits to be received, at any time
  while (kept.size() < 100'000) {  // no pool is that large
    pair.theirs.send_all(next);
    auto got = co_await (pair.ours.recv_lease() | within{20ms});
    if (!got) {
      EXPECT_EQ(got.error(), std::errc::timed_out);
      co_return;
    }
    next = text_of(*got);
    EXPECT_NE(next, "");
    kept.push_back(std::move(*got));
  }
}

TEST_P(engine, an_empty_pool_makes_a_receive_wait_until_leases_come_back) {
  struct body {
    static task<> check(half_pair& pair) {
      std::vector<lease> kept;
      co_await take_all(pair, kept);
      EXPECT_GE(kept.size(), 8U);
      std::size_t held = 0;
      for (const lease& l : kept) held += l.bytes().size();
      EXPECT_LE(held, little);
      kept.clear();  // what waits comes now
      const std::string got = co_await leased(pair.ours);
      EXPECT_NE(got, "");
    }
  };
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, a_pending_receive_goes_on_when_another_task_gives_a_lease_back) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct bodies {
    static task<> waiter(stream& from, std::string& out) { out = co_await leased(from); }
    static task<> all(half_pair& pair, std::string& out) {
      std::vector<lease> kept;
      co_await take_all(pair, kept);
      scope s;
      s.spawn(waiter(pair.ours, out));
      co_await iolite::sleep(5ms);
      EXPECT_EQ(out, "") << "there was no buffer";
      kept.clear();
      co_await s.join();
      EXPECT_GT(iolite::engine::current()->stats().starved_receives, 0U);
    }
  };
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  std::string out;
  run(bodies::all(pair, out));
  EXPECT_NE(out, "");
}

TEST_P(engine, a_receive_that_waits_for_a_buffer_can_be_cancelled) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct bodies {
    static task<> waiter(stream& from, outcome& out) {
      const auto r = co_await from.recv_lease();
      out.set(r);
    }
    static task<> all(half_pair& pair, outcome& out) {
      std::vector<lease> kept;
      co_await take_all(pair, kept);
      scope s;
      s.spawn(waiter(pair.ours, out));
      co_await iolite::sleep(2ms);
      s.cancel();
      co_await s.join();
      kept.clear();
      const std::string got = co_await leased(pair.ours);
      EXPECT_NE(got, "") << "it is still there";
    }
  };
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  outcome out;
  run(bodies::all(pair, out));
  EXPECT_EQ(out.times, 1);
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

// The kernel may find no buffer at the very moment at which the receive is given up.
TEST_P(engine, a_receive_given_up_as_buffers_run_out_says_so) {
  faulty os(system_of_test());
  os.fail_completions({{.opcode = IORING_OP_RECV, .times = fault::for_ever, .error = ENOBUFS}});
  os.arm(false);
  const auto e = new_engine(os, GetParam());
  os.arm(true);
  half_pair pair = unix_half(*e);
  struct body {
    static task<std::error_code> check(stream& from) {
      const auto none = co_await (from.recv_lease() | within(2ms));
      co_return none ? std::error_code() : none.error();
    }
  };
  EXPECT_EQ(e->run(body::check(pair.ours)), std::errc::timed_out);
}

TEST_P(engine, every_buffer_comes_back) {
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  const std::string half = pattern(buffer_pool::buffer_bytes / 2);
  for (int i = 0; i < static_cast<int>(3 * buffers); ++i) {
    pair.theirs.send_all(half);
    for (std::size_t got = 0; got < half.size();) got += run(leased(pair.ours)).size();
  }
}

// A lease on a few bytes holds those, not a buffer.
TEST_P(engine, small_messages_share_a_buffer) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct body {
    static task<> check(half_pair& pair) {
      std::vector<lease> kept;
      for (int i = 0; i < 512; ++i) {
        pair.theirs.send_all("x");
        auto got = co_await (pair.ours.recv_lease() | within{1s});
        if (!got) break;
        kept.push_back(std::move(*got));
      }
      EXPECT_EQ(kept.size(), 512U);
    }
  };
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

}  // namespace
}  // namespace iolite_test

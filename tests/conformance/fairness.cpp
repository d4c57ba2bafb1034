// Nobody is kept waiting by a neighbour who never stops, and the counters say what happened.
#include "kernel/faulty.hpp"
#include "support/engine_test.hpp"

namespace iolite_test {
namespace {

using namespace iolite;

// A flooder whose receives never wait, and fifty polite peers with one request each. On one thread
// each of them is served within a bounded number of the flooder's turns.
TEST_P(engine, a_flooding_peer_does_not_starve_fifty_others) {
  if (traits().blocking)
    GTEST_SKIP() << "the scheduler is fair to threads; nothing of the engine's";
  struct state {
    std::uint64_t flooder_turns = 0;
    std::vector<std::uint64_t> answered_at;
    bool stop = false;
  };
  struct bodies {
    // Sends to itself: there is always something to receive.
    static task<> flooder(stream_pair& own, state& s) {
      std::string buffer(4096, 'f');
      while (!s.stop) {
        const auto sent = co_await own.a.send_some(bytes_of(buffer));
        EXPECT_TRUE(sent);
        const auto got = co_await own.b.recv(bytes_of(buffer));
        EXPECT_TRUE(got);
        ++s.flooder_turns;
      }
    }
    static task<> polite(stream& peer, state& s) {
      const auto got = co_await receive(peer);
      const auto sent = co_await send_text(peer, got.value_or("error"));
      EXPECT_TRUE(sent);
      s.answered_at.push_back(s.flooder_turns);
    }
    static task<> all(stream_pair& own, std::vector<half_pair>& others, state& s) {
      scope flood;
      scope polite_ones;
      for (half_pair& p : others) polite_ones.spawn(polite(p.ours, s));
      for (half_pair& p : others) p.theirs.send_all("please");
      flood.spawn(flooder(own, s));
      co_await polite_ones.join();
      s.stop = true;
      co_await flood.join();
    }
  };
  stream_pair own = unix_streams(on());
  std::vector<half_pair> others;
  for (int i = 0; i < 50; ++i) others.push_back(unix_half(on()));
  state s;
  run(bodies::all(own, others, s));
  ASSERT_EQ(s.answered_at.size(), 50U);
  // 32 inline completions a turn of the loop, two a turn of the flooder; a few turns of the loop.
  EXPECT_LE(s.answered_at.back(), 32U * 50U);
  for (half_pair& p : others) EXPECT_EQ(p.theirs.recv_exactly(6), "please");
}

std::uint64_t waits_of(const faulty& os) {
  std::uint64_t out = 0;
  for (const call c : {call::select, call::poll, call::epoll_wait, call::sigtimedwait,
                       call::io_uring_enter, call::aio_suspend}) {
    out += os.calls(c);
  }
  return out;
}

// Their input is there for nobody: it must not end one wait after the other, also when it comes
// while the engine waits.
TEST_P(engine, who_waits_to_send_with_unread_input_costs_next_to_no_calls) {
  struct bodies {
    static task<> send_in_vain(stream& to, std::string_view much, outcome& out) {
      out.set(co_await (to.send_all(much) | within{150ms}));
    }
    static task<> all(std::vector<half_pair>& pairs, std::string_view much,
                      std::vector<outcome>& out, counter& waiting) {
      scope senders;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        senders.spawn(send_in_vain(pairs[i].ours, much, out[i]));
      }
      waiting.add_one();
      co_await senders.join();
    }
  };
  faulty& os = on_faulty({});
  const std::string much = pattern(4 << 20);
  std::vector<half_pair> pairs;
  for (int i = 0; i < 4; ++i) pairs.push_back(unix_half(on()));
  std::vector<outcome> out(pairs.size());
  counter waiting;
  other_thread peers([&] {
    waiting.await(1);
    for (const half_pair& p : pairs) {
      const std::uint64_t before = waits_of(os);
      p.theirs.send_all("unread");
      for (int i = 0; i < 30 && waits_of(os) < before + 3; ++i) system_of_test().sched_yield();
    }
  });
  run(bodies::all(pairs, much, out, waiting));
  peers.join();
  for (const outcome& o : out) EXPECT_EQ(o.code, std::errc::timed_out);
  EXPECT_LT(waits_of(os), 400U);
}

TEST_P(engine, a_timer_fires_although_a_task_never_waits) {
  if (traits().blocking) GTEST_SKIP() << "each task has a thread there";
  struct bodies {
    static task<> busy(stream& s, bool& stop) {
      std::string one(1, 'x');
      while (!stop) {
        const auto r = co_await s.send_all(one);
        if (!r) co_return;
        const auto back = co_await s.recv(std::span<std::byte>());
        EXPECT_TRUE(back);
      }
    }
    static task<> timer(bool& stop) {
      const auto r = co_await iolite::sleep(5ms);
      EXPECT_TRUE(r);
      stop = true;
    }
    static task<> all(stream& s, bool& stop) {
      scope children;
      children.spawn(timer(stop));
      children.spawn(busy(s, stop));
      co_await children.join();
    }
  };
  half_pair pair = unix_half(on());
  bool stop = false;
  other_thread reader([&] { static_cast<void>(pair.theirs.recv_until_end()); });
  run(bodies::all(pair.ours, stop));
  pair.ours.close();
  reader.join();
  EXPECT_TRUE(stop);
}

TEST_P(engine, a_cancel_reaches_a_task_that_never_waits) {
  if (traits().blocking) GTEST_SKIP() << "each task has a thread there";
  struct bodies {
    static task<> busy(std::uint64_t& turns) {
      for (;;) {
        const auto r = co_await iolite::sleep(0ms);
        if (!r) co_return;
        ++turns;
      }
    }
    static task<> all(std::uint64_t& turns) {
      scope children;
      children.spawn(busy(turns));
      co_await let_others_run();
      children.cancel();
      co_await children.join();
    }
  };
  std::uint64_t turns = 0;
  run(bodies::all(turns));
  EXPECT_GT(turns, 0U);
}

TEST_P(engine, stats_count_what_ended_inline) {
  struct body {
    static task<> check(half_pair& pair) {
      const engine_stats before = iolite::engine::current()->stats();
      for (int i = 0; i < 100; ++i) {
        pair.theirs.send_all("x");
        const auto r = co_await receive(pair.ours);
        EXPECT_EQ(r.value_or("error"), "x");
      }
      const engine_stats after = iolite::engine::current()->stats();
      const std::uint64_t started = after.started - before.started;
      const std::uint64_t inline_ones = after.inline_completions - before.inline_completions;
      EXPECT_GE(started, 100U);
      EXPECT_LE(inline_ones, started);
      // What did not end inside start() was waited for.
      EXPECT_TRUE(inline_ones >= 50 || after.waits > before.waits);
    }
  };
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

TEST_P(engine, stats_count_each_start_and_the_waits) {
  half_pair pair = unix_half(on());
  const std::uint64_t before = on().stats().started;
  other_thread peer([&] {
    for (int i = 0; i < 20; ++i) {
      pair.theirs.send_all("x");
      EXPECT_EQ(pair.theirs.recv_exactly(1), "x");
    }
    pair.theirs.half_close();
  });
  run(echo(std::move(pair.ours)));
  peer.join();
  EXPECT_GE(on().stats().started - before, 41U);  // 21 receives, 20 sends
}

}  // namespace
}  // namespace iolite_test

// How much memory leases take, and that those who hold theirs stop nobody else.
#include "support/engine_test.hpp"

#include "kernel/faulty.hpp"

#include <algorithm>

namespace iolite_test {
namespace {

using namespace iolite;

constexpr std::size_t little = buffer_pool::bytes_min;

std::string text_of(const lease& l) {
  return {reinterpret_cast<const char*>(l.bytes().data()), l.bytes().size()};
}

// How many bytes the next lease has; it is kept.
task<std::size_t> keep_next(stream& from, std::vector<lease>& kept) {
  auto got = co_await (from.recv_lease() | within(20ms));
  if (!got) {
    EXPECT_EQ(got.error(), std::errc::timed_out);
    co_return 0;
  }
  kept.push_back(std::move(*got));
  co_return kept.back().bytes().size();
}

// Leases of one connection, whose peer always has more to say, until it has to wait for one.
task<std::size_t> keep_all(half_pair& pair, std::vector<lease>& kept) {
  const std::string message = pattern(32 * 1024);
  std::size_t held = 0;
  std::size_t unread = 0;
  for (;;) {
    if (unread < message.size()) {
      pair.theirs.send_all(message);
      unread += message.size();
    }
    const std::size_t n = co_await keep_next(pair.ours, kept);
    if (n == 0) co_return held;
    held += n;
    unread -= n;
  }
}

// As `bytes` is sent, it comes back in leases, whatever their size.
task<bool> receives(half_pair& pair, const std::string& bytes) {
  pair.theirs.send_all(bytes);
  std::string got;
  while (got.size() < bytes.size()) {
    const auto part = co_await (pair.ours.recv_lease() | within(5s));
    if (!part || part->empty()) co_return false;
    got += text_of(*part);
  }
  co_return got == bytes;
}

TEST_P(engine, the_pool_grows_up_to_its_limit) {
  struct body {
    static task<> check(half_pair& pair, std::size_t limit) {
      std::vector<lease> kept;
      const std::size_t held = co_await keep_all(pair, kept);
      EXPECT_GT(held, limit / 8);
      EXPECT_LE(held, limit);
    }
  };
  for (const std::size_t limit : {little, 12 * little}) {
    const auto e = new_engine(system_of_test(), GetParam(), {.lease_memory = limit});
    half_pair pair = unix_half(*e);
    e->run(body::check(pair, limit));
  }
}

// Its own receive waits until it gives something back; those of the others do not.
TEST_P(engine, a_connection_that_holds_all_buffers_makes_only_itself_wait) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct body {
    static task<> next(stream& from, std::size_t& n) {
      const auto got = co_await from.recv_lease();
      n = got ? got->bytes().size() : 0;
    }
    static task<> check(half_pair& greedy, std::vector<half_pair>& others) {
      std::vector<lease> kept;
      co_await keep_all(greedy, kept);
      std::size_t more = 0;
      scope s;
      s.spawn(next(greedy.ours, more));
      for (half_pair& other : others) {
        const bool good = co_await receives(other, pattern(5000));
        EXPECT_TRUE(good);
      }
      EXPECT_EQ(more, 0U);
      kept.clear();
      co_await s.join();
      EXPECT_GT(more, 0U);
      EXPECT_LT(iolite::engine::current()->stats().starved_receives, 100U) << "it asks in vain";
    }
  };
  on().limit_leases(little);
  half_pair greedy = unix_half(on());
  std::vector<half_pair> others;
  for (int i = 0; i < 20; ++i) others.push_back(unix_half(on()));
  run(body::check(greedy, others));
}

// Each of them holds one lease for as long as its peer does not read.
TEST_P(engine, peers_that_do_not_read_do_not_stop_the_others) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct body {
    static task<> hold(stream& from, event& end, int& holding) {
      const auto got = co_await from.recv_lease();
      EXPECT_TRUE(got);
      ++holding;
      static_cast<void>(co_await end.wait());
    }
    static task<> check(std::vector<half_pair>& silent, std::vector<half_pair>& others) {
      event end;
      int holding = 0;
      scope s;
      const std::string message = pattern(buffer_pool::buffer_bytes);
      for (half_pair& p : silent) {
        p.theirs.send_all(message);
        s.spawn(hold(p.ours, end, holding));
      }
      for (int i = 0; i < 1000 && holding < static_cast<int>(silent.size()); ++i)
        co_await iolite::sleep(1ms);
      EXPECT_EQ(holding, static_cast<int>(silent.size()));
      for (int round = 0; round < 3; ++round) {
        for (half_pair& other : others) {
          const bool good = co_await receives(other, pattern(3000));
          EXPECT_TRUE(good);
        }
      }
      end.set();
      co_await s.join();
      const bool good = co_await receives(others[0], pattern(40'000));
      EXPECT_TRUE(good);
    }
  };
  on().limit_leases(little);
  std::vector<half_pair> silent;
  std::vector<half_pair> others;
  for (int i = 0; i < 60; ++i) silent.push_back(unix_half(on()));
  for (int i = 0; i < 3; ++i) others.push_back(unix_half(on()));
  run(body::check(silent, others));
}

// A piece of the reserve goes with its lease, not with the number of a descriptor.
TEST_P(engine, a_number_used_again_has_a_share_of_its_own) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct body {
    static task<> check(iolite::engine& on) {
      half_pair greedy = unix_half(on);
      std::vector<lease> kept;
      co_await keep_all(greedy, kept);
      std::vector<lease> left_behind;
      for (int i = 0; i < 5; ++i) {
        half_pair pair = unix_half(on);
        pair.theirs.send_all("message");
        const std::size_t n = co_await keep_next(pair.ours, left_behind);
        EXPECT_EQ(n, 7U);
      }
    }
  };
  on().limit_leases(little);
  run(body::check(on()));
}

// What is left of a buffer is room as well, also for those that fill whole buffers.
TEST_P(engine, no_receive_waits_while_a_buffer_has_room) {
  struct body {
    static task<> check(half_pair& pair) {
      std::vector<lease> kept;
      pair.theirs.send_all("small");
      EXPECT_EQ(co_await keep_next(pair.ours, kept), 5U);
      co_await keep_all(pair, kept);
      EXPECT_LT(iolite::engine::current()->stats().starved_receives, 20U) << "it asks in vain";
    }
  };
  on().limit_leases(little);
  half_pair pair = unix_half(on());
  run(body::check(pair));
}

// Receives of connections that have their piece, so that all of them wait for a buffer.
struct starving {
  explicit starving(iolite::engine& on, int count) : greedy(unix_half(on)) {
    for (int i = 0; i < count; ++i) pairs.push_back(unix_half(on));
  }
  task<> begin(scope& s) {
    co_await keep_all(greedy, kept);
    for (half_pair& p : pairs) {
      p.theirs.send_all("piece");
      const std::size_t n = co_await keep_next(p.ours, pieces);
      EXPECT_EQ(n, 5U);
    }
    ended.resize(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      s.spawn(next(pairs[i].ours, ended[i], held));
      co_await iolite::sleep(1ms);
      pairs[i].theirs.send_all("waits");
    }
    co_await iolite::sleep(1ms);
    for (const outcome& o : ended) EXPECT_EQ(o.times, 0);
  }
  static task<> next(stream& from, outcome& out, std::vector<lease>& held) {
    auto got = co_await from.recv_lease();
    out.set(got ? std::error_code() : got.error());
    if (got) held.push_back(std::move(*got));
  }
  [[nodiscard]] long over() const {
    return std::ranges::count_if(ended, [](const outcome& o) { return o.times == 1; });
  }

  half_pair greedy;
  std::vector<half_pair> pairs;
  std::vector<outcome> ended;
  std::vector<lease> kept, pieces, held;
};

TEST_P(engine, a_buffer_that_comes_back_serves_all_it_has_room_for) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  if (options_of(GetParam()).receives == engine_options::receiving::multishot) {
    GTEST_SKIP() << "the kernel has the rest of it, for receives that stand";
  }
  struct body {
    static task<> check(starving& all) {
      scope s;
      co_await all.begin(s);
      // So many that a buffer is free; their leases are kept while the others are served.
      while (all.over() == 0 && !all.kept.empty()) {
        all.kept.pop_back();
        co_await iolite::sleep(1ms);
      }
      co_await iolite::sleep(5ms);
      EXPECT_EQ(all.over(), static_cast<long>(all.pairs.size()));
      all.kept.clear();
      co_await s.join();
      all.held.clear();
      all.pieces.clear();
    }
  };
  on().limit_leases(little);
  starving all(on(), 10);
  run(body::check(all));
}

TEST_P(engine, a_buffer_meant_for_a_receive_that_is_cancelled_goes_to_another) {
  if (traits().blocking) GTEST_SKIP() << "a task there has a pool of its own";
  struct body {
    static task<> check(starving& all) {
      scope s;
      co_await all.begin(s);
      const buffer_pool& pool = *iolite::engine::current()->buffers();
      while (!pool.can_serve(all.pairs[0].ours.native_handle())) all.kept.pop_back();
      all.pairs[0].ours.close();  // which was to go on in the next turn
      co_await s.join();
      EXPECT_EQ(all.over(), 2);
      EXPECT_EQ(all.ended[1].code, std::error_code());
      all.held.clear();
      all.pieces.clear();
    }
  };
  on().limit_leases(little);
  starving all(on(), 2);
  run(body::check(all));
}

// A ring of few entries is full in the middle of handling what has completed, and what completes
// meanwhile must not overtake that: only the order of receives tells where their bytes are.
TEST_P(engine, leases_have_their_own_bytes_where_a_ring_is_full) {
  if (traits().blocking) GTEST_SKIP() << "it has no ring, and a thread for each of the tasks";
  struct body {
    static task<> answer(stream& peer, const std::string& expected, std::string& got) {
      while (got.size() < expected.size()) {
        const auto part = co_await peer.recv_lease();
        EXPECT_TRUE(part && !part->empty());
        if (!part || part->empty()) co_return;
        got += text_of(*part);
        const auto sent = co_await peer.send_all(part->bytes());
        EXPECT_TRUE(sent);
        if (!sent) co_return;
      }
    }
    static task<> ask(stream& peer, const std::string& text) {
      for (std::size_t at = 0; at < text.size(); at += 5000) {
        const auto sent = co_await send_text(peer, std::string_view(text).substr(at, 5000));
        EXPECT_TRUE(sent);
      }
    }
    static task<> read(stream& peer, const std::string& expected) {
      const auto got = co_await receive_exactly(peer, expected.size());
      EXPECT_TRUE(got.value_or("") == expected);
    }
    static task<> check(iolite::engine& on) {
      constexpr std::size_t count = 12;
      std::vector<stream_pair> pairs;
      std::vector<std::string> texts;
      std::vector<std::string> got(count);
      for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(unix_streams(on));
        EXPECT_TRUE(pairs.back().a.set_buffers(4096, 4096));
        EXPECT_TRUE(pairs.back().b.set_buffers(4096, 4096));
        texts.push_back(pattern(60'000, static_cast<unsigned>(i)));
      }
      scope s;
      for (std::size_t i = 0; i < count; ++i) {
        s.spawn(answer(pairs[i].b, texts[i], got[i]));
        s.spawn(ask(pairs[i].a, texts[i]));
        s.spawn(read(pairs[i].a, texts[i]));
      }
      co_await s.join();
      for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(got[i] == texts[i]) << i;
    }
  };
  for (const unsigned entries : {2U, 8U}) {
    const auto e = new_engine(system_of_test(), GetParam(), {.ring_entries = entries});
    e->run(body::check(*e));
  }
}

TEST_P(engine, memory_goes_back_when_leases_have) {
  faulty os(system_of_test());
  const auto e = new_engine(os, GetParam(), {.lease_memory = 24 * little});
  half_pair pair = unix_half(*e);
  std::vector<lease> kept;
  e->run(keep_all(pair, kept));
  const std::uint64_t before = os.calls(call::madvise);
  kept.clear();
  EXPECT_GE(os.calls(call::madvise), before + 3);
}

}  // namespace
}  // namespace iolite_test

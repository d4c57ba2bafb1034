// when_all() and when_any(): all parts have ended, losers are cancelled, and nothing is lost.
#include "support/engine_test.hpp"

#include <atomic>
#include <ranges>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

task<int> number_after(event& e, int n) {
  static_cast<void>(co_await e.wait());
  co_return n;
}
task<result<int>> result_after(event& e, int n) {
  const auto waited = co_await e.wait();
  if (!waited) co_return std::unexpected(waited.error());
  co_return n;
}
task<result<int>> fails(std::errc why) { co_return std::unexpected(std::make_error_code(why)); }
task<std::string> text_and_set(event& e, std::string text) {
  e.set();
  co_return text;
}
template <class T>
std::error_code code_of(const result<T>& r) {
  return r ? std::error_code() : r.error();
}

// One waits for the other, so they run side by side.
TEST_P(engine, when_all_gives_the_values_of_its_parts) {
  struct bodies {
    static task<> nothing(event& e) { static_cast<void>(co_await e.wait()); }
    static task<> all() {
      event set;
      const auto [n, text, none] = co_await when_all(
          number_after(set, 7), text_and_set(set, "a text that needs memory"), nothing(set));
      EXPECT_EQ(n, 7);
      EXPECT_EQ(text, "a text that needs memory");
      static_assert(std::is_same_v<decltype(none), const std::monostate>);
    }
  };
  run(bodies::all());
}

TEST_P(engine, when_any_cancels_and_awaits_the_losers) {
  struct body {
    static task<> all() {
      event never_set, set;
      set.set();
      const auto both =
          co_await when_any(result_after(never_set, 1), result_after(set, 2), never_set.wait());
      EXPECT_EQ(both.index, 1U);
      EXPECT_EQ(code_of(std::get<0>(both.values)), std::errc::operation_canceled);
      EXPECT_EQ(std::get<1>(both.values).value_or(0), 2);
      EXPECT_EQ(code_of(std::get<2>(both.values)), std::errc::operation_canceled);
    }
  };
  run(body::all());
}

TEST_P(engine, when_any_of_two_receives_loses_no_byte) {
  struct body {
    static task<> all(half_pair& a, half_pair& b, std::string& of_a, std::string& of_b) {
      std::string into_a(1, '\0'), into_b(1, '\0');
      for (int i = 0; i < 100; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        if (i % 3 != 0) a.theirs.send_all({&byte, 1});
        if (i % 3 != 1) b.theirs.send_all({&byte, 1});
        const auto both =
            co_await when_any(a.ours.recv(bytes_of(into_a)), b.ours.recv(bytes_of(into_b)));
        const auto& [got_a, got_b] = both.values;
        if (got_a) of_a += into_a;
        if (got_b) of_b += into_b;
        EXPECT_TRUE(both.index == 0 ? got_a.has_value() : got_b.has_value());
      }
    }
  };
  half_pair a = unix_half(on()), b = unix_half(on());
  std::string of_a, of_b, expected_a, expected_b;
  run(body::all(a, b, of_a, of_b));
  for (int i = 0; i < 100; ++i) {
    const char byte = static_cast<char>('a' + i % 26);
    if (i % 3 != 0) expected_a += byte;
    if (i % 3 != 1) expected_b += byte;
  }
  a.theirs.close();
  b.theirs.close();
  EXPECT_EQ(of_a + run(receive_until_end(a.ours)).value_or("error"), expected_a);
  EXPECT_EQ(of_b + run(receive_until_end(b.ours)).value_or("error"), expected_b);
}

TEST_P(engine, what_a_part_throws_cancels_the_others_and_comes_out) {
  struct bodies {
    static task<int> throws(event& e) {
      static_cast<void>(co_await e.wait());
      throw std::runtime_error("from a part");
    }
    static task<> waits(event& e, outcome& out) {
      const auto waited = co_await e.wait();
      out.set(waited);
    }
    static task<std::string> all(outcome& other) {
      event set, never_set;
      set.set();
      try {
        static_cast<void>(co_await when_all(throws(set), waits(never_set, other)));
      } catch (const std::runtime_error& e) {
        EXPECT_EQ(other.times, 1) << "it has ended before the exception goes on";
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  outcome other;
  EXPECT_EQ(run(bodies::all(other)), "from a part");
  EXPECT_EQ(other.code, std::errc::operation_canceled);
}

TEST_P(engine, a_limit_and_a_cancel_reach_all_parts) {
  struct bodies {
    static task<> waits(event& never_set, outcome& a, outcome& b) {
      const auto both = co_await when_all(result_after(never_set, 1), never_set.wait());
      a.set(std::get<0>(both));
      b.set(std::get<1>(both));
    }
    static task<> all(outcome& a, outcome& b) {
      event never_set;
      const auto late =
          co_await (when_any(result_after(never_set, 1), never_set.wait()) | within(5ms));
      EXPECT_EQ(late ? std::error_code() : late.error(), std::errc::timed_out);
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto child = children.spawn(waits(never_set, a, b));
        co_await let_others_run();
        child.cancel();
      });
    }
  };
  outcome a, b;
  run(bodies::all(a, b));
  EXPECT_EQ(a.code, std::errc::operation_canceled);
  EXPECT_EQ(b.code, std::errc::operation_canceled);
}

TEST_P(engine, parts_may_have_limits_and_parts_of_their_own) {
  struct body {
    static task<> all(half_pair& pair) {
      event never_set, set;
      set.set();
      std::string into(1, '\0');
      const auto [late, silent, inner] = co_await when_all(
          result_after(never_set, 1) | within(2ms), pair.ours.recv(bytes_of(into)) | within(2ms),
          when_any(number_after(set, 5), never_set.wait()));
      EXPECT_EQ(code_of(late), std::errc::timed_out);
      EXPECT_EQ(code_of(silent), std::errc::timed_out);
      EXPECT_EQ(inner.index, 0U);
      EXPECT_EQ(std::get<0>(inner.values), 5);
    }
  };
  half_pair pair = unix_half(on());
  run(body::all(pair));
}

// --- ranges ---

struct seen {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
};
task<int> seen_running(seen& s, int n) {
  const int now_running = ++s.running;
  int most = s.most;
  while (most < now_running && !s.most.compare_exchange_weak(most, now_running)) {
  }
  co_await iolite::sleep(1ms);
  --s.running;
  co_return n;
}

TEST_P(engine, when_all_of_a_range_runs_so_many_at_a_time) {
  struct body {
    static task<> all() {
      for (const std::size_t at_most : {1U, 3U, 100U}) {
        seen s;
        auto tasks = std::views::iota(0, 12) |
                     std::views::transform([&s](int i) { return seen_running(s, i); });
        const std::vector<int> values = co_await when_all(tasks, {.at_most = at_most});
        EXPECT_EQ(values, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
        EXPECT_LE(static_cast<std::size_t>(s.most), at_most);
        EXPECT_EQ(s.running, 0);
      }
    }
  };
  run(body::all());
}

TEST_P(engine, when_all_of_an_empty_range_is_over_at_once) {
  struct body {
    static task<> all() {
      const auto none = co_await when_all(std::vector<task<int>>());
      EXPECT_TRUE(none.empty());
      const auto any = co_await when_any(std::vector<task<>>());
      EXPECT_TRUE(any.values.empty());
    }
  };
  run(body::all());
}

TEST_P(engine, when_any_of_a_range_starts_no_more_once_one_has_ended) {
  struct body {
    static task<> all() {
      event never_set, set;
      set.set();
      std::vector<task<result<int>>> tasks;
      tasks.push_back(result_after(never_set, 0));
      tasks.push_back(result_after(set, 1));
      tasks.push_back(result_after(never_set, 2));
      const auto any = co_await when_any(std::move(tasks), {.at_most = 2});
      EXPECT_EQ(any.index, 1U);
      EXPECT_EQ(any.values.size(), 2U) << "the third one was not started";
      EXPECT_EQ(code_of(any.values[0]), std::errc::operation_canceled);
      EXPECT_EQ(any.values[1].value_or(0), 1);
    }
  };
  run(body::all());
}

TEST_P(engine, the_first_success_wins_over_earlier_errors) {
  struct body {
    static task<> all() {
      event never_set, set;
      set.set();
      std::vector<task<result<int>>> tasks;
      tasks.push_back(fails(std::errc::connection_refused));
      tasks.push_back(fails(std::errc::host_unreachable));
      tasks.push_back(result_after(set, 2));
      tasks.push_back(result_after(never_set, 3));
      const auto any = co_await when_any(std::move(tasks), {.at_most = 1, .wins = winner::success});
      EXPECT_EQ(any.index, 2U);
      EXPECT_EQ(any.values.size(), 3U);
      EXPECT_EQ(code_of(any.values[0]), std::errc::connection_refused);
      EXPECT_EQ(any.values[2].value_or(0), 2);

      std::vector<task<result<int>>> hopeless;
      hopeless.push_back(fails(std::errc::connection_refused));
      hopeless.push_back(fails(std::errc::host_unreachable));
      const auto none =
          co_await when_any(std::move(hopeless), {.at_most = 1, .wins = winner::success});
      EXPECT_EQ(none.index, 1U) << "the last to end";
      EXPECT_EQ(code_of(none.values[1]), std::errc::host_unreachable);
    }
  };
  run(body::all());
}

// Where children are threads, their engines are gone when the stream is used.
TEST_P(engine, a_stream_that_a_part_has_made_may_be_handed_out) {
  struct bodies {
    static task<> serve_one(listener& from) {
      auto peer = co_await from.accept();
      EXPECT_TRUE(peer);
      if (!peer) co_return;
      auto whole = echo(std::move(*peer));
      co_await whole;
    }
    static task<std::string> race(endpoint there, endpoint nowhere) {
      std::vector<task<result<stream>>> connects;
      connects.push_back(stream::connect(nowhere));
      connects.push_back(stream::connect(there));
      auto any = co_await when_any(std::move(connects), {.wins = winner::success});
      EXPECT_EQ(any.index, 1U);
      auto& won = any.values.at(any.index);
      EXPECT_TRUE(won);
      if (!won) co_return "no connection";
      const auto sent = co_await won->send_all(std::string_view("hello"));
      EXPECT_TRUE(sent);
      const auto got = co_await receive_exactly(*won, 5);
      co_return got.value_or("error");
    }
    static task<std::string> all(listener& from, endpoint nowhere) {
      co_return co_await in_scope([&](iolite::scope& children) -> task<std::string> {
        children.spawn(serve_one(from));
        co_return co_await race(from.local(), nowhere);
      });
    }
  };
  auto from = listener::open(on(), endpoint::parse("127.0.0.1:0").value());
  ASSERT_TRUE(from) << from.error().message;
  endpoint nowhere;
  {
    auto closed = listener::open(on(), endpoint::parse("127.0.0.1:0").value());
    ASSERT_TRUE(closed) << closed.error().message;
    nowhere = closed->local();
  }
  EXPECT_EQ(run(bodies::all(*from, nowhere)), "hello");
}

}  // namespace
}  // namespace iolite_test

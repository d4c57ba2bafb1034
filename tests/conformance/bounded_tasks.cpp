// within() and until() on tasks, channels, outboxes, frames and handles: the work is cancelled and
// has ended when timed_out is reported, and what won the race is delivered.
#include "support/engine_test.hpp"

#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

template <class T>
std::error_code code_of(const result<T>& r) {
  return r ? std::error_code() : r.error();
}

task<result<int>> number_after(event& e, int n, outcome& inner) {
  const auto waited = co_await e.wait();
  inner.set(waited);
  if (!waited) co_return std::unexpected(waited.error());
  co_return n;
}
task<int> count_waits(event& e, int times) {
  int waits = 0;
  for (int i = 0; i < times; ++i) {
    const auto waited = co_await e.wait();
    if (waited) ++waits;
  }
  co_return waits;
}
task<> wait_once(event& e) { static_cast<void>(co_await e.wait()); }

TEST_P(engine, a_task_that_takes_too_long_is_cancelled_awaited_and_timed_out) {
  struct body {
    static task<> all(outcome& inner, outcome& out) {
      event never_set;
      const auto before = now();
      const auto n = co_await (number_after(never_set, 1, inner) | within(5ms));
      EXPECT_GE(now() - before, 5ms) << "never early";
      EXPECT_EQ(inner.times, 1) << "it has ended";
      out.set(n);
    }
  };
  outcome inner, out;
  run(body::all(inner, out));
  EXPECT_EQ(inner.code, std::errc::operation_canceled);
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, a_task_that_is_in_time_gives_its_value) {
  struct body {
    static task<int> all(outcome& inner) {
      event set;
      set.set();
      const auto soon = co_await (number_after(set, 1, inner) | within(1h));
      const auto later = co_await (number_after(set, 2, inner) | until(now() + 1h));
      auto kept = number_after(set, 4, inner);
      const auto by_reference = co_await (kept | within(1h));
      co_return soon.value_or(0) + later.value_or(0) + by_reference.value_or(0);
    }
  };
  outcome inner;
  EXPECT_EQ(run(body::all(inner)), 7);
  EXPECT_FALSE(inner.code);
}

TEST_P(engine, until_a_point_in_time_ends_a_task_then) {
  struct body {
    static task<> all(outcome& inner, outcome& out) {
      event never_set;
      const auto end = now() + 5ms;
      const auto n = co_await (number_after(never_set, 1, inner) | until(end));
      EXPECT_GE(now(), end);
      out.set(n);
    }
  };
  outcome inner, out;
  run(body::all(inner, out));
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, a_task_without_a_result_is_timed_out_if_it_was_cut_short) {
  struct body {
    static task<> all() {
      event never_set, set;
      set.set();
      const auto cut = co_await (count_waits(never_set, 3) | within(2ms));
      EXPECT_EQ(code_of(cut), std::errc::timed_out);
      const auto whole = co_await (count_waits(set, 3) | within(1h));
      EXPECT_EQ(whole.value_or(-1), 3);
      const result<void> nothing = co_await (wait_once(never_set) | within(2ms));
      EXPECT_EQ(code_of(nothing), std::errc::timed_out);
      const result<void> ended = co_await (wait_once(set) | within(1h));
      EXPECT_TRUE(ended);
    }
  };
  run(body::all());
}

// It makes do with what it has when its wait is cancelled.
TEST_P(engine, a_value_that_comes_late_is_delivered) {
  struct bodies {
    static task<result<int>> best_so_far(event& e) {
      const auto waited = co_await e.wait();
      EXPECT_FALSE(waited);
      co_return 7;
    }
    static task<int> all() {
      event never_set;
      const auto n = co_await (best_so_far(never_set) | within(2ms));
      co_return n.value_or(-1);
    }
  };
  EXPECT_EQ(run(bodies::all()), 7);
}

TEST_P(engine, after_its_limit_whatever_a_task_waits_in_ends_at_once) {
  struct bodies {
    static task<result<void>> stubborn(event& e, outcome& waits) {
      for (int i = 0; i < 100; ++i) {
        const auto waited = co_await e.wait();
        waits.set(waited);
      }
      const auto slept = co_await iolite::sleep(1h);
      co_return slept;
    }
    static task<> all(outcome& waits, outcome& out) {
      event never_set;
      const auto r = co_await (stubborn(never_set, waits) | within(2ms));
      out.set(r);
      const auto slept = co_await iolite::sleep(1ms);
      EXPECT_TRUE(slept) << "behind the limit nothing is cancelled";
    }
  };
  outcome waits, out;
  run(bodies::all(waits, out));
  EXPECT_EQ(waits.times, 100);
  EXPECT_EQ(waits.code, std::errc::operation_canceled);
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, a_peer_that_floods_does_not_outlast_a_limit) {
  struct bodies {
    static task<> flood(stream to) {
      const std::string text = pattern(64 << 10);
      for (bool more = true; more;) {
        const auto sent = co_await to.send_all(text);
        more = sent.has_value();
      }
    }
    static task<result<void>> drink(stream& from) {
      for (;;) {
        const auto got = co_await receive(from);
        if (!got) co_return std::unexpected(got.error());
      }
    }
    static task<> all(stream_pair pair, outcome& out) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(flood(std::move(pair.b)));
        const auto r = co_await (drink(pair.a) | within(5ms));
        out.set(r);
        pair.a.close();
      });
    }
  };
  outcome out;
  run(bodies::all(unix_streams(on()), out));
  EXPECT_EQ(out.code, std::errc::timed_out);
}

TEST_P(engine, of_nested_limits_the_nearest_ends_the_work) {
  struct bodies {
    static task<result<int>> inside(event& e, iolite::clock::duration limit, outcome& innermost,
                                    outcome& inner) {
      const auto n = co_await (number_after(e, 1, innermost) | within(limit));
      inner.set(n);
      co_return n;
    }
    static task<> all() {
      event never_set;
      for (const bool outer_first : {true, false}) {
        outcome innermost, inner;
        const iolite::clock::duration of_inner = outer_first ? iolite::clock::duration(1h) : 2ms;
        const iolite::clock::duration of_outer = outer_first ? iolite::clock::duration(2ms) : 1h;
        const auto n = co_await (inside(never_set, of_inner, innermost, inner) | within(of_outer));
        EXPECT_EQ(innermost.code, std::errc::operation_canceled);
        EXPECT_EQ(inner.code, outer_first ? std::errc::operation_canceled : std::errc::timed_out);
        EXPECT_EQ(code_of(n), std::errc::timed_out);
      }
    }
  };
  run(bodies::all());
}

TEST_P(engine, of_two_limits_on_the_same_the_nearest_counts) {
  struct body {
    static task<> all(half_pair& pair) {
      event never_set;
      outcome inner;
      const auto n = co_await (number_after(never_set, 1, inner) | within(1h) | within(2ms));
      EXPECT_EQ(code_of(n), std::errc::timed_out);
      const auto m = co_await (number_after(never_set, 1, inner) | until(now() + 2ms) | within(1h));
      EXPECT_EQ(code_of(m), std::errc::timed_out);
      std::string into(10, '\0');
      const auto r = co_await (pair.ours.recv(bytes_of(into)) | within(2ms) | within(1h));
      EXPECT_EQ(code_of(r), std::errc::timed_out);
      const auto s = co_await (pair.ours.recv(bytes_of(into)) | until(now() + 2ms));
      EXPECT_EQ(code_of(s), std::errc::timed_out);
    }
  };
  half_pair pair = unix_half(on());
  run(body::all(pair));
}

TEST_P(engine, a_cancel_of_the_whole_is_no_time_out) {
  struct bodies {
    static task<> bounded(event& e, outcome& inner, outcome& out) {
      const auto n = co_await (number_after(e, 1, inner) | within(1h));
      out.set(n);
    }
    static task<> all(outcome& inner, outcome& out) {
      event never_set;
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(bounded(never_set, inner, out));
        co_await let_others_run();
        children.cancel();
      });
    }
  };
  outcome inner, out;
  run(bodies::all(inner, out));
  EXPECT_EQ(out.code, std::errc::operation_canceled);
}

TEST_P(engine, an_exception_goes_through_a_limit) {
  struct bodies {
    static task<result<int>> throws(event& e) {
      static_cast<void>(co_await e.wait());
      throw std::runtime_error("after its limit");
    }
    static task<std::string> all() {
      event never_set;
      try {
        static_cast<void>(co_await (throws(never_set) | within(2ms)));
      } catch (const std::runtime_error& e) {
        co_return e.what();
      }
      co_return "nothing thrown";
    }
  };
  EXPECT_EQ(run(bodies::all()), "after its limit");
}

TEST_P(engine, a_limit_ends_a_scope_with_its_children) {
  struct bodies {
    static task<> work(outcome& body, outcome& child) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeping(1h, child));
        body.set(co_await iolite::sleep(1ms));
      });
    }
    static task<> all(outcome& body, outcome& child) {
      const auto r = co_await (work(body, child) | within(10ms));
      EXPECT_EQ(code_of(r), std::errc::timed_out);
      EXPECT_EQ(child.times, 1);
    }
  };
  outcome body, child;
  run(bodies::all(body, child));
  EXPECT_EQ(body.times, 1);
  EXPECT_EQ(child.code, std::errc::operation_canceled);
}

TEST_P(engine, a_handle_within_a_limit_cancels_its_child) {
  struct body {
    static task<> all(outcome& inner) {
      event never_set, set;
      set.set();
      co_await in_scope([&](iolite::scope& children) -> task<> {
        auto late = children.spawn(number_after(never_set, 1, inner));
        const auto n = co_await (late | within(2ms));
        EXPECT_EQ(code_of(n), std::errc::timed_out);
        EXPECT_TRUE(late.done());
        EXPECT_FALSE(children.cancelled());
        const auto m = co_await (children.spawn(count_waits(never_set, 1)) | within(2ms));
        EXPECT_EQ(code_of(m), std::errc::timed_out);
        const auto w = co_await (children.spawn(count_waits(set, 2)) | within(1h));
        EXPECT_EQ(w.value_or(-1), 2);
      });
    }
  };
  outcome inner;
  run(body::all(inner));
  EXPECT_EQ(inner.code, std::errc::operation_canceled);
}

TEST_P(engine, a_channel_within_a_limit_has_neither_sent_nor_taken) {
  struct body {
    static task<> all() {
      channel<int> c(1);
      const auto none = co_await (c.receive() | within(2ms));
      EXPECT_EQ(code_of(none), std::errc::timed_out);
      const auto one = co_await (c.send(1) | within(2ms));
      EXPECT_TRUE(one);
      const auto full = co_await (c.send(2) | within(2ms));
      EXPECT_EQ(code_of(full), std::errc::timed_out);
      EXPECT_EQ(c.size(), 1U);
      const auto there = co_await (c.receive() | within(0ms));
      EXPECT_EQ(there.value_or(-1), 1) << "what is there is taken, however short the limit";
    }
  };
  run(body::all());
}

TEST_P(engine, frames_within_a_limit_go_on_where_they_were) {
  struct bodies {
    static task<std::string> receive_text(frames& from) {
      const auto got = co_await from.receive();
      if (!got) co_return got.error().message();
      co_return std::string(reinterpret_cast<const char*>(got->data()), got->size());
    }
    static task<std::string> all(half_pair& pair) {
      frames messages(pair.ours);
      pair.theirs.send_all(std::string_view("\0\0\0\5he", 6));
      const auto part = co_await (messages.receive() | within(5ms));
      EXPECT_EQ(code_of(part), std::errc::timed_out);
      pair.theirs.send_all("llo");
      co_return co_await receive_text(messages);
    }
  };
  half_pair pair = unix_half(on());
  EXPECT_EQ(run(bodies::all(pair)), "hello");
}

TEST_P(engine, a_full_outbox_within_a_limit_has_not_taken_the_message) {
  struct body {
    static task<> all() {
      outbox mail(1);
      EXPECT_TRUE(mail.try_send(message("one")));
      const auto sent = co_await (mail.send(message("two")) | within(2ms));
      EXPECT_EQ(code_of(sent), std::errc::timed_out);
      EXPECT_EQ(mail.size(), 1U);
    }
  };
  run(body::all());
}

TEST_P(engine, a_call_under_offload_that_has_begun_is_waited_for) {
  struct bodies {
    static task<int> calls() {
      const auto n = co_await offload([] { return 7; });
      co_return n.value_or(-1);
    }
    static task<> all() {
      const auto n = co_await (calls() | within(1h));
      EXPECT_EQ(n.value_or(0), 7);
      const auto m = co_await (offload([] { return 8; }) | within(1h));
      EXPECT_EQ(m.value_or(0), 8);
    }
  };
  run(bodies::all());
}

TEST_P(engine, bytes_that_race_with_the_limit_of_a_task_are_never_lost) {
  constexpr int rounds = 200;
  struct bodies {
    static task<> all(half_pair& pair, std::string& received) {
      for (int i = 0; i < rounds; ++i) {
        const char byte = static_cast<char>('a' + i % 26);
        if (i % 2 == 0) pair.theirs.send_all({&byte, 1});
        const auto got = co_await (receive(pair.ours, 1) | within(0ms));
        if (i % 2 == 1) pair.theirs.send_all({&byte, 1});
        received += got.value_or("");
        if (got) continue;
        EXPECT_EQ(got.error(), std::errc::timed_out);
        const auto next = co_await receive(pair.ours, 1);
        received += next.value_or("!");
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

}  // namespace
}  // namespace iolite_test

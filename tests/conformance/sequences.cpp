// One operation after the other in one task: how one ended says nothing about the next, also when
// the same object is awaited again.
#include "support/engine_test.hpp"

#include <array>
#include <concepts>
#include <stdexcept>

namespace iolite_test {
namespace {

using namespace iolite;

template <class T>
std::error_code code_of(const result<T>& r) {
  return r ? std::error_code() : r.error();
}

// Before it is awaited: latched, for that time.
template <class Operation>
void cancel_next(iolite::engine& on, Operation& op) {
  if constexpr (std::derived_from<Operation, operation>) on.cancel(op);
  else op.cancel();
}

// `op` succeeds after feed(), and waits without it. Each end, twice, in every order of neighbours.
template <class Operation, class Feed>
task<> each_end_after_each(Operation& op, Feed feed, std::vector<std::error_code>& ends) {
  iolite::engine& on = *iolite::engine::current();
  enum end : std::uint8_t { in_time, late, cancelled };
  for (const end e : {late, in_time, in_time, cancelled, cancelled, late, late, cancelled, in_time,
                      late, in_time, cancelled, in_time}) {
    if (e == in_time) feed();
    if (e == cancelled) cancel_next(on, op);
    if (e == in_time) {
      const auto r = co_await op;  // without a limit: that of an earlier wait is over
      ends.push_back(code_of(r));
    } else {
      const auto limit = e == late ? iolite::clock::duration(1ms) : iolite::clock::duration(1h);
      const auto r = co_await (op | within{limit});
      ends.push_back(code_of(r));
    }
    if (e == in_time) {
      EXPECT_EQ(ends.back(), std::error_code()) << "number " << ends.size();
    } else {
      const auto expected = e == late ? std::errc::timed_out : std::errc::operation_canceled;
      EXPECT_EQ(ends.back(), expected) << "number " << ends.size();
    }
  }
}

constexpr std::size_t ends_expected = 13;

TEST_P(engine, receives_end_each_way_after_each_other) {
  half_pair pair = unix_half(on());
  std::array<std::byte, 8> into;
  auto op = pair.ours.recv(into);
  std::vector<std::error_code> ends;
  run(each_end_after_each(op, [&] { pair.theirs.send_all("x"); }, ends));
  EXPECT_EQ(ends.size(), ends_expected);
}

TEST_P(engine, whole_receives_end_each_way_after_each_other) {
  half_pair pair = tcp_half(on());
  std::array<std::byte, 4> into;
  auto op = pair.ours.recv_all(into);
  std::vector<std::error_code> ends;
  run(each_end_after_each(op, [&] { pair.theirs.send_all("four"); }, ends));
  EXPECT_EQ(ends.size(), ends_expected);
}

TEST_P(engine, leased_receives_end_each_way_after_each_other) {
  half_pair pair = unix_half(on());
  auto op = pair.ours.recv_lease();
  std::vector<std::error_code> ends;
  run(each_end_after_each(op, [&] { pair.theirs.send_all("x"); }, ends));
  EXPECT_EQ(ends.size(), ends_expected);
}

TEST_P(engine, accepts_end_each_way_after_each_other) {
  auto opened = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(opened) << opened.error().message;
  listener l = std::move(*opened);
  const endpoint at = l.local();
  std::vector<raw_socket> peers;
  auto op = l.accept();
  std::vector<std::error_code> ends;
  run(each_end_after_each(op, [&] { peers.push_back(raw_socket::connect(at)); }, ends));
  EXPECT_EQ(ends.size(), ends_expected);
}

TEST_P(engine, waits_for_an_event_end_each_way_after_each_other) {
  struct body {
    static task<> all(std::vector<std::error_code>& ends) {
      event e;
      auto op = e.wait();
      for (int round = 0; round < 3; ++round) {
        e.reset();
        const auto late = co_await (op | within{1ms});
        ends.push_back(code_of(late));
        e.set();
        const auto in_time = co_await op;
        ends.push_back(code_of(in_time));
        e.reset();
        cancel_next(*iolite::engine::current(), op);
        const auto cancelled = co_await op;
        ends.push_back(code_of(cancelled));
        e.set();
        const auto again = co_await (op | within{1ms});
        ends.push_back(code_of(again));
      }
    }
  };
  std::vector<std::error_code> ends;
  run(body::all(ends));
  ASSERT_EQ(ends.size(), 12U);
  for (std::size_t i = 0; i < ends.size(); i += 4) {
    EXPECT_EQ(ends[i], std::errc::timed_out);
    EXPECT_EQ(ends[i + 1], std::error_code());
    EXPECT_EQ(ends[i + 2], std::errc::operation_canceled);
    EXPECT_EQ(ends[i + 3], std::error_code());
  }
}

TEST_P(engine, a_readiness_wait_ends_each_way_after_each_other) {
  raw_pair pair = raw_unix_pair();
  set_nonblocking(pair.a.fd(), true);
  struct body {
    static task<> all(raw_pair& p, std::vector<std::error_code>& ends) {
      auto op = ready(p.a.fd(), interest::read);
      for (int round = 0; round < 3; ++round) {
        const auto late = co_await (op | within{1ms});
        ends.push_back(code_of(late));
        p.b.send_all("x");
        const auto in_time = co_await op;
        ends.push_back(code_of(in_time));
        EXPECT_EQ(p.a.recv_exactly(1), "x");
        cancel_next(*iolite::engine::current(), op);
        const auto cancelled = co_await op;
        ends.push_back(code_of(cancelled));
      }
    }
  };
  std::vector<std::error_code> ends;
  run(body::all(pair, ends));
  ASSERT_EQ(ends.size(), 9U);
  for (std::size_t i = 0; i < ends.size(); i += 3) {
    EXPECT_EQ(ends[i], std::errc::timed_out);
    EXPECT_EQ(ends[i + 1], std::error_code());
    EXPECT_EQ(ends[i + 2], std::errc::operation_canceled);
  }
}

TEST_P(engine, a_named_sleep_sleeps_each_time_it_is_awaited) {
  struct body {
    static task<> all() {
      auto nap = iolite::sleep(3ms);
      for (int i = 0; i < 3; ++i) {
        const auto begin = now();
        const auto r = co_await nap;
        EXPECT_TRUE(r);
        EXPECT_GE(now() - begin, 3ms) << "number " << i;
        cancel_next(*iolite::engine::current(), nap);
        const auto cancelled = co_await nap;
        EXPECT_EQ(code_of(cancelled), std::errc::operation_canceled);
      }
    }
  };
  run(body::all());
}

TEST_P(engine, a_sleep_for_ever_lasts_until_it_is_cancelled) {
  struct bodies {
    static task<> sleeps(outcome& out) {
      const auto r = co_await sleep_until(iolite::never);
      out.set(r);
    }
    static task<> sleeps_long(outcome& out) {
      const auto r = co_await iolite::sleep(iolite::clock::duration::max());
      out.set(r);
    }
    static task<> all(outcome& until, outcome& length) {
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(sleeps(until));
        children.spawn(sleeps_long(length));
        static_cast<void>(co_await iolite::sleep(5ms));
        children.cancel();
      });
    }
  };
  outcome until, length;
  run(bodies::all(until, length));
  EXPECT_EQ(until.code, std::errc::operation_canceled);
  EXPECT_EQ(length.code, std::errc::operation_canceled);
}

// The earlier limit counts, and a later use has its own.
TEST_P(engine, a_limit_does_not_extend_an_earlier_deadline_and_does_not_outlive_its_wait) {
  half_pair pair = unix_half(on());
  struct body {
    static task<> all(half_pair& p) {
      std::array<std::byte, 8> into;
      auto op = p.ours.recv(into);
      op.deadline = now() + 2ms;
      const auto begin = now();
      const auto first = co_await (op | within{1h});
      EXPECT_EQ(code_of(first), std::errc::timed_out);
      EXPECT_GE(now() - begin, 2ms);
      op.deadline = iolite::never;
      const auto second = co_await (op | within{1ms});
      EXPECT_EQ(code_of(second), std::errc::timed_out);
      EXPECT_EQ(op.deadline, iolite::never);
    }
  };
  run(body::all(pair));
}

// All of it, although the first wait has moved a part or nothing.
TEST_P(engine, a_send_that_timed_out_sends_everything_when_it_is_awaited_again) {
  struct body {
    static task<> all(half_pair& p, std::string_view much) {
      auto fill = p.ours.send_all(much);
      const auto filled = co_await (fill | within{5ms});
      EXPECT_EQ(code_of(filled), std::errc::timed_out);
      const std::size_t part = fill.moved;
      auto op = p.ours.send_all("hello");
      const auto late = co_await (op | within{1ms});
      EXPECT_EQ(code_of(late), std::errc::timed_out);
      EXPECT_EQ(op.moved, 0U);
      EXPECT_EQ(p.theirs.recv_exactly(part).size(), part);
      const auto in_time = co_await op;
      EXPECT_EQ(in_time.value_or(0), 5U);
      EXPECT_EQ(op.moved, 5U);
      EXPECT_EQ(p.theirs.recv_exactly(5), "hello");
      const auto again = co_await op;
      EXPECT_EQ(again.value_or(0), 5U);
      EXPECT_EQ(p.theirs.recv_exactly(5), "hello");
    }
  };
  half_pair pair = unix_half(on());
  const std::string much = pattern(4 << 20);
  run(body::all(pair, much));
}

template <class Operation>
task<> closed_under_the_first(Operation& op) {
  const auto first = co_await op;
  EXPECT_EQ(code_of(first), std::errc::operation_canceled);
  const auto second = co_await op;
  EXPECT_EQ(code_of(second), std::errc::bad_file_descriptor);
  const auto third = co_await (op | within{1h});
  EXPECT_EQ(code_of(third), std::errc::bad_file_descriptor);
}

// The stream may be gone by then: nothing of it is looked at.
TEST_P(engine, what_was_pending_on_a_closed_stream_says_so_when_it_is_awaited_again) {
  if (traits().blocking) GTEST_SKIP() << "a close elsewhere does not end a wait";
  struct bodies {
    static task<> closes(stream& s, listener& l) {
      static_cast<void>(co_await iolite::sleep(1ms));
      s.close();
      l.close();
    }
    static task<> all(stream& s, listener& l) {
      std::array<std::byte, 8> into;
      auto receiving = s.recv(into);
      auto accepting = l.accept();
      co_await in_scope([&](iolite::scope& children) -> task<> {
        children.spawn(closes(s, l));
        children.spawn(closed_under_the_first(accepting));
        co_await closed_under_the_first(receiving);
      });
    }
  };
  half_pair pair = unix_half(on());
  auto opened = listener::open(on(), *endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(opened) << opened.error().message;
  run(bodies::all(pair.ours, *opened));
}

TEST_P(engine, a_cancel_before_a_call_is_latched_for_that_time) {
  struct body {
    static task<> all() {
      int calls = 0;
      auto op = offload([&calls] { return ++calls; });
      for (int i = 1; i <= 3; ++i) {
        cancel_next(*iolite::engine::current(), op);
        const auto cancelled = co_await op;
        EXPECT_EQ(code_of(cancelled), std::errc::operation_canceled);
        const auto r = co_await op;
        EXPECT_EQ(r.value_or(0), i);
      }
    }
  };
  run(body::all());
}

TEST_P(engine, a_call_that_threw_is_called_again_and_gives_its_value) {
  struct body {
    static task<> all() {
      int calls = 0;
      auto op = offload([&calls] {
        if (++calls % 2 == 1) throw std::runtime_error("odd");
        return calls;
      });
      for (int i = 0; i < 2; ++i) {
        bool thrown = false;
        try {
          const auto r = co_await op;
          EXPECT_FALSE(r) << "not reached";
        } catch (const std::runtime_error&) {
          thrown = true;
        }
        EXPECT_TRUE(thrown);
        const auto r = co_await op;
        EXPECT_EQ(r.value_or(0), calls);
      }
    }
  };
  run(body::all());
}

}  // namespace
}  // namespace iolite_test
